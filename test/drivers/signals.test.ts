// Signals sent to a real process.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";

const driver = join(import.meta.dirname, "../../src/drivers/signals.ts");

/** Keeps a program alive, though not beyond a test that has failed. */
const alive = "setTimeout(() => process.exit(9), 3000);";

function program(body: string) {
  const source = `import { onStopSignal } from ${JSON.stringify(driver)}; ${body}`;
  const child = spawn(process.execPath, ["--eval", source], { stdio: ["ignore", "pipe", "inherit"] });
  return { child, exit: once(child, "exit") };
}

test("onStopSignal hears every stop signal by its name", async () => {
  const { child, exit } = program(`${alive} let heard = 0;
    onStopSignal((signal) => { console.log(signal); if (++heard === 3) process.exit(0); }); console.log("up");`);
  const sent: NodeJS.Signals[] = ["SIGTERM", "SIGINT", "SIGTERM"];
  let said = "";
  for await (const chunk of child.stdout) {
    said += String(chunk);
    const next = sent.shift();
    if (next !== undefined) child.kill(next);
  }
  assert.deepEqual(await exit, [0, null]);
  assert.equal(said, "up\nSIGTERM\nSIGINT\nSIGTERM\n");
});

test("onStopSignal keeps nothing alive, and once undone the signal ends the process again", async () => {
  const idle = program("onStopSignal(() => {});");
  assert.deepEqual(await idle.exit, [0, null]);
  const undone = program(`${alive} onStopSignal(() => {})(); console.log("up");`);
  await once(undone.child.stdout, "data");
  undone.child.kill("SIGTERM");
  assert.deepEqual(await undone.exit, [null, "SIGTERM"]);
});
