// What the tests of the executable promise each other: whatever they start is gone when they let go of it.
import assert from "node:assert/strict";
import { readdirSync, readlinkSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
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
