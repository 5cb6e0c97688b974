import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { nextRestart, NO_RESTARTS, type RestartHistory, wantsRestart } from "../../src/core/restart.ts";
import { PLAIN_SPEC } from "../../src/core/spec.ts";

const config = {
  ...PLAIN_SPEC.restart,
  policy: "on-failure" as const,
  backoff: { minMs: 100, maxMs: 1_000 },
  limit: { count: 5, windowMs: 60_000 },
};

/** The waits of `times` failures in a row, `everyMs` apart. */
function waits(times: number, { everyMs = 1, random = 1, upSinceMs = undefined as number | undefined } = {}) {
  let history: RestartHistory = NO_RESTARTS;
  return Array.from({ length: times }, (_, index) => {
    const up = upSinceMs === undefined ? {} : { upSinceMs: index * everyMs - upSinceMs };
    const verdict = nextRestart(config, history, { nowMs: index * everyMs, random, ...up });
    if (!verdict.restart) return verdict.reason;
    ({ history } = verdict);
    return verdict.delayMs;
  });
}

describe("wantsRestart", () => {
  test("never, on failure, always", () => {
    const wants = (policy: "never" | "on-failure" | "always") =>
      [true, false].map((failed) => wantsRestart({ ...config, policy }, failed));
    assert.deepEqual(wants("never"), [false, false]);
    assert.deepEqual(wants("on-failure"), [true, false]);
    assert.deepEqual(wants("always"), [true, true]);
  });
});

describe("nextRestart", () => {
  test("the first is immediate, then the wait doubles up to its maximum", () => {
    assert.deepEqual(waits(5), [0, 100, 200, 400, 800]);
  });

  test("the jitter takes any part of the wait", () => {
    assert.deepEqual(waits(4, { random: 0.5 }), [0, 50, 100, 200]);
    assert.deepEqual(waits(4, { random: 0 }), [0, 0, 0, 0]);
  });

  test("the limit counts restarts within its window, and says so", () => {
    assert.deepEqual(waits(6, { everyMs: 10 }).at(-1), "restarted 5 times within 60s");
    assert.equal(typeof waits(20, { everyMs: 13_000 }).at(-1), "number");
  });

  test("a healthy spell makes the next restart immediate again", () => {
    assert.deepEqual(waits(3, { everyMs: 20_000, upSinceMs: 10_000 }), [0, 0, 0]);
    assert.deepEqual(waits(3, { everyMs: 20_000, upSinceMs: 9_999 }), [0, 100, 200]);
  });

  test("no wait is ever longer than the maximum, and history never grows beyond the limit (property)", () => {
    const step = fc.record({ gapMs: fc.nat(5_000), random: fc.double({ min: 0, max: 0.999, noNaN: true }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        let history = NO_RESTARTS;
        let nowMs = 0;
        for (const { gapMs, random } of steps) {
          nowMs += gapMs;
          const verdict = nextRestart(config, history, { nowMs, random });
          if (!verdict.restart) continue;
          ({ history } = verdict);
          assert.ok(verdict.delayMs >= 0 && verdict.delayMs <= config.backoff.maxMs);
          assert.ok(history.timesMs.length <= config.limit.count);
        }
      }),
    );
  });
});
