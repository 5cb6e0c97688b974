import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { moduleVersions } from "../../src/drivers/module-versions-bun.ts";

const base = realpathSync(mkdtempSync(join(tmpdir(), "haraka-versions-")));
after(() => rmSync(base, { recursive: true }));
let count = 0;

/** A folder of modules, and what they have been loaded with. */
function modules(files: Record<string, string>) {
  const folder = join(base, String(count++));
  const at = (name: string) => join(folder, name);
  const put = (name: string, text: string) => {
    mkdirSync(dirname(at(name)), { recursive: true });
    writeFileSync(at(name), text);
  };
  for (const [name, text] of Object.entries(files)) put(name, text);
  const versions = moduleVersions();
  return {
    at,
    put,
    versions,
    load: (name: string) => import(pathToFileURL(at(name)).href) as Promise<Record<string, unknown>>,
    files: (name: string) =>
      versions
        .filesOf(at(name))
        .map((file) => file.slice(folder.length + 1))
        .toSorted(),
    renew: (...names: string[]) => versions.renew(names.map(at)),
  };
}

describe("moduleVersions under Bun", () => {
  test("filesOf follows imports of every kind, but not into what is installed", () => {
    const { files } = modules({
      "a.ts": `import { b } from "./b"; import type { T } from "./types.ts"; import data from "./data.json";
        import "pkg"; import "node:fs"; import "haraka-runtime"; export * from "./c.ts"; const d = () => import("./d.ts");
        const e = require("./e.cjs"); export default [b, data, d, e] as T;`,
      "b.ts": `import "./a.ts"; export const b = 1;`,
      "types.ts": "export type T = unknown;",
      "data.json": "{}",
      "c.ts": "",
      "d.ts": "",
      "e.cjs": "",
      "node_modules/pkg/index.js": 'import "./inner.js";',
    });
    assert.deepEqual(files("a.ts"), ["a.ts", "b.ts", "c.ts", "d.ts", "data.json", "e.cjs"]);
  });

  test("filesOf knows where a file led that does not parse, and what is missing", () => {
    const { files, put } = modules({ "a.ts": 'import "./b.ts";', "b.ts": "" });
    assert.deepEqual(files("a.ts"), ["a.ts", "b.ts"]);
    put("a.ts", 'import "./b.ts"; const = ;');
    assert.deepEqual(files("a.ts"), ["a.ts", "b.ts"]);
    put("a.ts", 'import "./gone"; import "./b.ts";');
    assert.ok(files("a.ts").includes("gone.ts"));
  });

  test("renew loads a file and what leads to it anew, and leaves the rest", async () => {
    const { files, load, put, renew } = modules({
      "a.ts": 'export { b } from "./b.ts"; export { shared } from "./shared.ts";',
      "b.ts": "export const b = 1;",
      "shared.ts": "export const shared = {};",
      "other.ts": 'export { shared } from "./shared.ts";',
    });
    const [first, other] = [await load("a.ts"), await load("other.ts")];
    put("b.ts", "export const b = 2;");
    files("a.ts");
    files("other.ts");
    renew("b.ts");
    const second = await load("a.ts");
    assert.deepEqual([first["b"], second["b"]], [1, 2]);
    assert.equal(second["shared"], first["shared"]);
    assert.equal(await load("other.ts"), other);
  });

  test("renew can be taken back", async () => {
    const { files, load, put, renew } = modules({ "a.ts": "export const a = 1;" });
    const first = await load("a.ts");
    files("a.ts");
    put("a.ts", "export const a = 2;");
    const takeBack = renew("a.ts");
    assert.equal((await load("a.ts"))["a"], 2);
    takeBack();
    assert.equal(await load("a.ts"), first);
    put("a.ts", "export const a = 3;");
    renew("a.ts");
    assert.equal((await load("a.ts"))["a"], 3);
  });

  test("a module that could not be linked can be loaded once it has been repaired", async () => {
    const { files, load, put, renew } = modules({
      "a.ts": 'import { b } from "./b.ts"; export const a = b;',
      "b.ts": "export const c = 1;",
    });
    await assert.rejects(load("a.ts"), /'b' not found/);
    files("a.ts");
    put("b.ts", "export const b = 1;");
    renew("b.ts");
    assert.equal((await load("a.ts"))["a"], 1);
  });

  test("forgetFailure has the next import evaluate what failed, and only that", async () => {
    Object.assign(globalThis, { isOpen: false });
    const { at, load, versions } = modules({
      "a.ts": 'import "./shared.ts"; import "./door.ts"; export { shared } from "./shared.ts";',
      "door.ts": 'if (!globalThis.isOpen) throw new Error("closed"); export {};',
      "shared.ts": "export const shared = {};",
    });
    const { shared } = await load("shared.ts");
    await assert.rejects(load("a.ts"), /closed/);
    Object.assign(globalThis, { isOpen: true });
    await assert.rejects(load("a.ts"), /closed/);
    versions.forgetFailure(at("a.ts"));
    assert.equal((await load("a.ts"))["shared"], shared);
  });

  test("of the versions of a file no more than two are kept", async () => {
    const { at, files, load, put, renew } = modules({ "a.ts": "export const a = 0;" });
    files("a.ts");
    await load("a.ts");
    for (let version = 1; version <= 5; version++) {
      put("a.ts", `export const a = ${version};`);
      renew("a.ts");
      assert.equal((await load("a.ts"))["a"], version);
    }
    const kept = Object.keys(require.cache).filter((key) => key.startsWith(at("a.ts")));
    assert.equal(kept.length, 2);
  });
});
