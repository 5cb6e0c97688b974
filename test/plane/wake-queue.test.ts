// When it wakes what, and how often it troubles the clock for that.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { testClock } from "../../src/compose/testing.ts";
import { WakeQueue } from "../../src/plane/wake-queue.ts";

function counted() {
  const clock = testClock();
  const timers = { set: 0, live: 0 };
  const after: typeof clock.after = (delayMs, run) => {
    timers.set++;
    timers.live++;
    let isLive = true;
    const end = (): void => {
      if (isLive) timers.live--;
      isLive = false;
    };
    const cancel = clock.after(delayMs, () => {
      end();
      run();
    });
    return () => {
      end();
      cancel();
    };
  };
  const woken: [string, number][] = [];
  const wake = (what: string): void => void woken.push([what, clock.now()]);
  const queue = new WakeQueue<string>({ clock: { ...clock, after }, nowMs: () => clock.now(), wake });
  return { clock, timers, woken, queue };
}

test("each is woken once, at its time, whatever was set and taken back before", async () => {
  const change = fc.record({
    what: fc.constantFrom("a", "b", "c", "d", "e"),
    inMs: fc.option(fc.integer({ min: 0, max: 50 }), { nil: undefined }),
    passMs: fc.integer({ min: 0, max: 20 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(change, { maxLength: 30 }), async (changes) => {
      const { clock, woken, queue } = counted();
      const expected: [string, number][] = [];
      const due = new Map<string, number>();
      const pass = async (ms: number): Promise<void> => {
        const untilMs = clock.now() + ms;
        for (const [what, atMs] of [...due].toSorted(([, a], [, b]) => a - b)) {
          if (atMs > untilMs) continue;
          expected.push([what, atMs]);
          due.delete(what);
        }
        await clock.advance(ms);
      };
      for (const { what, inMs, passMs } of changes) {
        const atMs = inMs === undefined ? undefined : clock.now() + inMs;
        queue.set(what, atMs);
        if (atMs === undefined) due.delete(what);
        else due.set(what, atMs);
        await pass(passMs);
      }
      await pass(100);
      const sorted = (all: [string, number][]): string[] => all.map(String).toSorted();
      assert.deepEqual(sorted(woken), sorted(expected));
    }),
    { numRuns: 50 },
  );
});

test("what is taken back in time costs no timer of its own, and nothing is left of it", async () => {
  const { clock, timers, woken, queue } = counted();
  queue.set("always", 1_000_000);
  for (let index = 0; index < 100; index++) {
    queue.set(`${index}`, clock.now() + 1_000);
    if (index > 0) queue.set(`${index - 1}`, undefined);
    await clock.advance(1);
  }
  assert.deepEqual([timers.set, timers.live], [2, 1]);
  queue.set("99", undefined);
  queue.set("always", undefined);
  assert.equal(timers.live, 0);
  await clock.advance(10_000);
  assert.deepEqual(woken, []);
});
