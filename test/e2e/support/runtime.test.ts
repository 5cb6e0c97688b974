// What the tests of the executable promise each other: whatever they start is gone when they let go of it.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readlinkSync, rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { after, test } from "node:test";
import { start } from "./runtime.ts";

/** Those who work in a folder, though it may be gone. */
function workersIn(folder: string): number[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => {
      try {
        return readlinkSync(`/proc/${pid}/cwd`).startsWith(folder);
      } catch {
        return false;
      }
    });
}

const skip = process.platform === "linux" ? false : "looks into /proc";

test("what is let go of while it starts one process after the other leaves none", { skip }, async () => {
  const start300 = "for i in $(seq 300); do setsid sleep 1000 >/dev/null 2>&1 & echo $i; done; wait";
  let folder: string;
  {
    await using runtime = start({ program: ["sh", "-c", start300], args: [] });
    ({ folder } = runtime);
    await runtime.printed("10");
  }
  const left = workersIn(folder);
  for (const pid of left) process.kill(pid, "SIGKILL");
  assert.deepEqual(left, []);
});

test("what is not let go of before the tests end ends with them", { skip }, async () => {
  const script = `
    import { start } from ${JSON.stringify(join(import.meta.dirname, "runtime.ts"))};
    const program = ["sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 & echo up; wait"];
    const runtime = start({ program, args: [] });
    await runtime.printed("up");
    console.log(runtime.folder);
    process.exit();
  `;
  const folder = execFileSync(process.execPath, ["-e", script], { encoding: "utf8" }).trim();
  after(() => {
    for (const pid of workersIn(folder)) process.kill(pid, "SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  });
  // A moment may pass between the signal and the end.
  while (workersIn(folder).length > 0) await new Promise((turn) => setImmediate(turn));
});
