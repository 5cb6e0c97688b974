// The time of day as it passes, whatever is done to the clock on the wall.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SteadyTime } from "../../src/core/steady-time.ts";

test("it follows the wall, and goes on by itself while that is behind", () => {
  const time = new SteadyTime({ timeMs: 1_000, monotonicMs: 50 });
  assert.equal(time.at({ wallMs: 1_010, monotonicMs: 60 }), 1_010);
  assert.equal(time.at({ wallMs: 5_000.9, monotonicMs: 60.5 }), 5_000);
  assert.equal(time.at({ wallMs: 400, monotonicMs: 160.5 }), 5_100);
  time.heard(6_000);
  time.heard(3_000);
  assert.equal(time.at({ wallMs: 500, monotonicMs: 161 }), 6_000);
  assert.equal(time.at({ wallMs: 6_200, monotonicMs: 162 }), 6_200);
});

test("it never goes back, and is never slower than time", () => {
  const step = fc.record({ setMs: fc.integer({ min: -1e7, max: 1e7 }), passedMs: fc.nat(1e5) });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      let [wallMs, monotonicMs] = [1e12, 0];
      const time = new SteadyTime({ timeMs: wallMs, monotonicMs });
      let before = time.at({ wallMs, monotonicMs });
      for (const { setMs, passedMs } of steps) {
        wallMs += setMs + passedMs;
        monotonicMs += passedMs;
        const now = time.at({ wallMs, monotonicMs });
        assert.ok(now >= before + passedMs && now >= wallMs);
        before = now;
      }
    }),
  );
});
