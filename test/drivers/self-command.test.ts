// The launcher that stands for this CLI in a run from source.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { after, test } from "node:test";
import { selfCommand } from "../../src/drivers/self-command.ts";

const folder = mkdtempSync(join(tmpdir(), "haraka 'test'-"));
after(() => rmSync(folder, { recursive: true }));

test("selfCommand runs the source with its arguments, and is private", () => {
  const main = join(folder, "main.ts");
  writeFileSync(main, "console.log(JSON.stringify(process.argv.slice(2)));");
  const self = selfCommand(main);
  assert.equal(self(), self());
  assert.equal(execFileSync(self(), ["a b", "$c"], { encoding: "utf8" }), '["a b","$c"]\n');
  assert.equal(statSync(self()).mode & 0o777, 0o700);
  assert.equal(statSync(dirname(self())).mode & 0o777, 0o700);
});

test("selfCommand of a compiled binary is the binary", () => {
  assert.equal(selfCommand("/$bunfs/root/haraka")(), process.execPath);
});

test("selfCommand leaves nothing behind when the process ends", () => {
  const driver = join(import.meta.dirname, "../../src/drivers/self-command.ts");
  const source = `import { selfCommand } from ${JSON.stringify(driver)}; console.log(selfCommand("/main.ts")());`;
  const path = execFileSync(process.execPath, ["--eval", source], { encoding: "utf8" }).trim();
  assert.match(path, /haraka$/);
  assert.ok(!existsSync(dirname(path)));
});
