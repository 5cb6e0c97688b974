// The clocks that run by themselves, against the contract of every clock; and what the edge's does when its timers were cut.
import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../../src/drivers/clock.ts";
import { edgeClock } from "../../src/drivers/edge-clock.ts";
import { clockContract } from "../contracts/clock.ts";

// Nothing to turn: the contract awaits its own timers.
clockContract("systemClock", () => ({ clock: systemClock(), turn() {} }));
clockContract("edgeClock", () => ({ clock: edgeClock(systemClock()), turn() {} }));

test("edgeClock catches up with what has become due, in order and once, and leaves the rest", () => {
  let nowMs = 0;
  const clock = edgeClock({ now: () => nowMs, wallTime: () => nowMs });
  const ran: string[] = [];
  clock.after(60_000, () => ran.push("second"));
  clock.after(30_000, () => ran.push("first"));
  const cancelFirst = clock.after(40_000, () => ran.push("cancelled"));
  const cancelLast = clock.after(90_000, () => ran.push("later"));
  cancelFirst();
  nowMs = 60_000;
  clock.catchUp();
  clock.catchUp();
  assert.deepEqual(ran, ["first", "second"]);
  cancelLast();
});
