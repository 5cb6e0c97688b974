import assert from "node:assert/strict";
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { systemClock } from "../../src/drivers/clock.ts";
import { fileGlob } from "../../src/drivers/file-glob.ts";
import { Watcher } from "../../src/drivers/watcher.ts";

/** A folder that is watched; `next` gives what is touched next, by paths relative to it. */
function watching({ files = [] as string[], globs = [] as string[], before = {} as Record<string, string> }) {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "haraka-watch-")));
  const at = (name: string) => join(folder, name);
  const put = (name: string, text = name) => {
    mkdirSync(dirname(at(name)), { recursive: true });
    writeFileSync(at(name), text);
  };
  for (const [name, text] of Object.entries(before)) put(name, text);
  const told: string[][] = [];
  const problems: string[] = [];
  let wake = () => {};
  const watcher = new Watcher({
    clock: systemClock(),
    onTouched(paths) {
      told.push(paths.map((path) => path.slice(folder.length + 1)));
      wake();
    },
    onProblem: (reason) => problems.push(reason),
  });
  const use = (wanted: { files?: string[]; globs?: string[] }) =>
    watcher.use({
      files: (wanted.files ?? []).map(at),
      trees: (wanted.globs ?? []).map((glob) => fileGlob(at(glob))),
    });
  use({ files, globs });
  return {
    at,
    put,
    use,
    problems,
    async next(): Promise<string[]> {
      for (;;) {
        const first = told.shift();
        if (first) return first;
        await new Promise<void>((resolve) => (wake = resolve));
      }
    },
    [Symbol.dispose]() {
      watcher.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

test("Watcher tells of a file that is written, and of nothing else in its folder", async () => {
  using folder = watching({ files: ["a"], before: { a: "1", b: "1" } });
  folder.put("b", "2");
  appendFileSync(folder.at("a"), "2");
  assert.deepEqual(await folder.next(), ["a"]);
});

test("Watcher tells once of what is done in one go", async () => {
  using folder = watching({ files: ["a", "b"] });
  folder.put("a");
  folder.put("b");
  appendFileSync(folder.at("a"), "2");
  assert.deepEqual(await folder.next(), ["a", "b"]);
  utimesSync(folder.at("b"), 1, 1);
  assert.deepEqual(await folder.next(), ["b"]);
});

test("Watcher goes on seeing a file that is replaced, removed and made again", async () => {
  using folder = watching({ files: ["a"], before: { a: "1" } });
  for (let round = 0; round < 3; round++) {
    folder.put("a.tmp");
    renameSync(folder.at("a.tmp"), folder.at("a"));
    assert.deepEqual(await folder.next(), ["a"]);
  }
  unlinkSync(folder.at("a"));
  assert.deepEqual(await folder.next(), ["a"]);
  folder.put("a");
  assert.deepEqual(await folder.next(), ["a"]);
});

test("Watcher waits for folders that are not there", async () => {
  using folder = watching({ files: ["x/y/a"], globs: ["p/q/*.txt"] });
  folder.put("x/y/a");
  folder.put("p/q/b.txt");
  const seen = new Set(await folder.next());
  while (seen.size < 2) for (const each of await folder.next()) seen.add(each);
  assert.deepEqual([...seen].toSorted(), ["p/q/b.txt", "x/y/a"]);
  folder.put("x/y/a", "more");
  assert.deepEqual(await folder.next(), ["x/y/a"]);
});

test("Watcher follows a folder that is removed and made again", async () => {
  using folder = watching({ files: ["in/a"], before: { "in/a": "1" } });
  rmSync(folder.at("in"), { recursive: true });
  assert.deepEqual(await folder.next(), ["in/a"]);
  folder.put("in/a", "2");
  assert.deepEqual(await folder.next(), ["in/a"]);
  folder.put("in/a", "3");
  assert.deepEqual(await folder.next(), ["in/a"]);
});

test("Watcher follows a folder that another one has taken the place of", async () => {
  using folder = watching({ files: ["in/a"], before: { "in/a": "1" } });
  rmSync(folder.at("in"), { recursive: true });
  folder.put("in/a", "2");
  assert.deepEqual(await folder.next(), ["in/a"]);
  folder.put("other/a", "3");
  renameSync(folder.at("in"), folder.at("old"));
  renameSync(folder.at("other"), folder.at("in"));
  assert.deepEqual(await folder.next(), ["in/a"]);
  folder.put("in/a", "4");
  assert.deepEqual(await folder.next(), ["in/a"]);
});

test("Watcher sees what comes into a tree, in folders that are new as well", async () => {
  using folder = watching({
    globs: ["src/**/*.ts"],
    before: { "src/a.ts": "1", "src/node_modules/p/c.ts": "1" },
  });
  folder.put("src/deep/down/b.ts");
  assert.deepEqual(await folder.next(), ["src/deep/down/b.ts"]);
  folder.put("src/node_modules/p/c.ts", "2");
  folder.put("src/deep/down/b.md");
  folder.put("src/deep/down/b.ts", "2");
  assert.deepEqual(await folder.next(), ["src/deep/down/b.ts"]);
});

test("Watcher sees what is behind a link, and the link led elsewhere", async () => {
  using folder = watching({ before: { "v1/a": "1", "v2/a": "2" } });
  symlinkSync("v1", folder.at("current"));
  symlinkSync("current/a", folder.at("a"));
  folder.use({ files: ["a"] });
  folder.put("v1/a", "one");
  assert.deepEqual(await folder.next(), ["a"]);
  // As Kubernetes puts another version of a config map into place.
  symlinkSync("v2", folder.at("next"));
  renameSync(folder.at("next"), folder.at("current"));
  assert.deepEqual(await folder.next(), ["a"]);
  folder.put("v2/a", "two");
  assert.deepEqual(await folder.next(), ["a"]);
});

test("Watcher is about what it was told last", async () => {
  using folder = watching({ files: ["x/a"], before: { "x/a": "1", "y/b": "1" } });
  folder.use({ files: ["y/b"] });
  // A folder that is new to it may have changed in between.
  assert.deepEqual(await folder.next(), ["y/b"]);
  folder.put("x/a", "2");
  folder.put("y/b", "2");
  assert.deepEqual(await folder.next(), ["y/b"]);
  assert.deepEqual(folder.problems, []);
});
