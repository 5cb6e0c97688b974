import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { configReference, schemaFile } from "../docs/generate.ts";

const root = join(import.meta.dirname, "..");
const read = (path: string) => readFileSync(join(root, path), "utf8");

/** A Markdown text as `bun run docs` leaves it. */
function formatted(text: string): string {
  const command = ["fmt", "--stdin-filepath=docs/config.md"];
  const { status, stdout, stderr } = spawnSync(process.execPath, command, {
    cwd: root,
    input: text,
    encoding: "utf8",
  });
  assert.equal(status, 0, stderr);
  return stdout;
}

test("docs/config.md is what `bun run docs` would write", () => {
  assert.equal(read("docs/config.md"), formatted(configReference()));
});

test("config/schema.json is what `bun run docs` would write", () => {
  assert.deepEqual(JSON.parse(read("config/schema.json")), JSON.parse(schemaFile()));
});
