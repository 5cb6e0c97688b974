// Proof that the suite can fail where it matters: with each of the museum's bugs in the source, the test that watches for it turns red,
// and for the bug's reason.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import process from "node:process";
import { describe, test } from "node:test";
import { type Exhibit, exhibits } from "./exhibits.ts";
import { plantedTree } from "./planted-tree.ts";

const PARTS = ["src", "build", "test", "package.json", "bunfig.toml", "tsconfig.json"];

/** What the runner says of the test that watches for the bug, with the bug there; colours are left out. */
function watch({ bug, edits, turnsRed: [file, name] }: Exhibit): string {
  using tree = plantedTree(bug, { edits, parts: PARTS });
  const pattern = name.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const words = ["test", `./test/${file}.test.ts`, "--timeout", "30000", "-t", pattern];
  const { stdout, stderr } = spawnSync(process.execPath, words, {
    cwd: tree.path,
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1" },
  });
  return `${stdout}${stderr}`;
}

describe("the suite finds it when", () => {
  for (const exhibit of exhibits) {
    test(exhibit.bug, { timeout: 60_000 }, () => {
      const said = watch(exhibit);
      assert.match(said, /^\(fail\) /m, `nothing turned red:\n${said}`);
      assert.match(said, exhibit.says);
    });
  }
});

test("a bug whose place is gone is no bug that was found", () => {
  const edits = [{ file: "src/plane/run.ts", find: "no such text", replace: "" }];
  assert.throws(
    () => plantedTree("nothing", { edits, parts: ["src/plane"] }),
    /^Error: cannot plant "nothing": src\/plane\/run.ts has no no such text$/,
  );
});
