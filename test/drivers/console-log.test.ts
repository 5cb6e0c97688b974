// Records on the console of a real process.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";

const driver = join(import.meta.dirname, "../../src/drivers/console-log.ts");

test("consoleLog writes one JSON object a record, from its level on, whatever the fields", () => {
  const source = `import { consoleLog } from ${JSON.stringify(driver)};
    const log = consoleLog({ level: "info", name: "shop" });
    const loop = {}; loop.self = loop;
    log.debug("left out"); log.info("ready", { afterMs: 3, service: "api" }); log.info("odd", { loop, count: 5n, service: "api" });`;
  const lines = execFileSync(process.execPath, ["--eval", source], { encoding: "utf8" }).trim().split("\n");
  const records = lines.map((line) => {
    const { time, ...record } = JSON.parse(line) as Record<string, unknown>;
    assert.ok(!Number.isNaN(Date.parse(String(time))));
    return record;
  });
  assert.deepEqual(records, [
    { level: "info", service: "api", stream: "runtime", message: "ready", afterMs: 3 },
    { level: "info", service: "api", stream: "runtime", message: "odd", loop: "[object Object]", count: "5" },
  ]);
});
