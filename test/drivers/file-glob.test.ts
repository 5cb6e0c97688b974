import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { fileGlob } from "../../src/drivers/file-glob.ts";

const folder = mkdtempSync(join(tmpdir(), "haraka-glob-"));
after(() => rmSync(folder, { recursive: true }));
for (const name of ["a.ts", "src/b.ts", "src/deep/c.ts", "src/d.md", "node_modules/p/e.ts", ".git/f.ts"]) {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), "");
}

for (const [pattern, base, files] of [
  ["src/**/*.ts", "src", ["src/b.ts", "src/deep/c.ts"]],
  ["**/*.ts", "", ["a.ts", "src/b.ts", "src/deep/c.ts"]],
  ["src/*.{ts,md}", "src", ["src/b.ts", "src/d.md"]],
  ["src", "src", ["src/b.ts", "src/d.md", "src/deep/c.ts"]],
  ["a.ts", "", ["a.ts"]],
  ["gone/*.ts", "gone", []],
  ["node_modules/p/*.ts", "node_modules/p", ["node_modules/p/e.ts"]],
] as const) {
  test(`fileGlob of ${pattern} lists and matches files, and names their folder`, () => {
    const glob = fileGlob(join(folder, pattern));
    assert.equal(glob.folder, join(folder, base).replace(/\/$/, ""));
    assert.deepEqual(
      glob.list(),
      files.map((file) => join(folder, file)),
    );
    for (const file of files) assert.ok(glob.matches(join(folder, file)));
    assert.equal(glob.matches(join(folder, "src/d.txt")), pattern === "src");
  });
}

test("fileGlob enters neither installed packages nor version control, unless it names them", () => {
  const [all, named] = [fileGlob("/p/**"), fileGlob("/p/node_modules/q/**")];
  assert.deepEqual(["/p/src", "/p/node_modules", "/p/.git"].map(all.enters), [true, false, false]);
  assert.ok(named.enters("/p/node_modules"));
});
