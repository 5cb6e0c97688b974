import assert from "node:assert/strict";
import { test } from "node:test";
import { Deadlines } from "../../src/runtime/deadlines.ts";
import { testClock } from "../../src/testing.ts";

function rig() {
  const clock = testClock();
  let timers = 0;
  const after = clock.after.bind(clock);
  const counted = Object.assign(clock, {
    after(delayMs: number, run: () => void) {
      timers++;
      return after(delayMs, run);
    },
  });
  const expired: string[] = [];
  const deadlines = new Deadlines(counted);
  const arm = (name: string, delayMs: number) =>
    deadlines.arm(delayMs, () => expired.push(`${name} at ${clock.now()}`));
  return { clock, arm, expired, timers: () => timers };
}

test("Deadlines expire each at its time, whatever the order of arming", async () => {
  const { clock, arm, expired } = rig();
  arm("a", 100);
  await clock.advance(40);
  arm("b", 100);
  arm("c", 50);
  await clock.advance(1_000);
  assert.deepEqual(expired, ["c at 90", "a at 100", "b at 140"]);
});

test("Deadlines of one length share a timer", () => {
  const { arm, timers } = rig();
  for (let index = 0; index < 1_000; index++) arm("x", 30_000);
  assert.equal(timers(), 1);
});

test("Deadlines that are disarmed do not expire, and the last one takes the timer with it", async () => {
  const { clock, arm, expired, timers } = rig();
  const [first, second] = [arm("a", 100), arm("b", 100)];
  await clock.advance(50);
  arm("c", 100);
  first();
  first();
  await clock.advance(60);
  assert.deepEqual(expired, ["b at 100"]);
  second();
  await clock.advance(1_000);
  assert.deepEqual(expired, ["b at 100", "c at 150"]);
  const before = timers();
  arm("d", 100)();
  await clock.advance(1_000);
  assert.equal(timers(), before + 1);
  assert.equal(expired.length, 2);
});

test("Deadlines can be armed anew while one expires", async () => {
  const clock = testClock();
  const deadlines = new Deadlines(clock);
  const times: number[] = [];
  const again = (): void => {
    times.push(clock.now());
    if (times.length < 3) deadlines.arm(10, again);
  };
  deadlines.arm(10, again);
  await clock.advance(100);
  assert.deepEqual(times, [10, 20, 30]);
});
