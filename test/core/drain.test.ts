// Who counts as a prober, and when a drain may end: examples first, then probers of any rhythm, told by nothing but a source.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Drain, drainMs, drainRule, Probers } from "../../src/core/drain.ts";

/** The probers known at `nowMs` after `source` has asked at these times. */
function probersAfter(asksMs: readonly number[], nowMs: number) {
  const probers = new Probers();
  for (const atMs of asksMs) probers.asked("proxy", atMs);
  return probers.active(nowMs);
}

describe("Probers", () => {
  test("who has asked once is none, who has asked twice is one", () => {
    assert.deepEqual(probersAfter([0], 0), []);
    assert.deepEqual(probersAfter([0, 500], 600), [
      { source: "proxy", intervalMs: 500, looks: 1, lastAskedMs: 500 },
    ]);
  });

  test("a pause of 30 s is an interval, a longer one is not", () => {
    assert.equal(probersAfter([0, 30_000], 30_000).length, 1);
    assert.deepEqual(probersAfter([0, 30_001], 30_001), []);
  });

  test("after three of its own intervals a prober is forgotten", () => {
    assert.equal(probersAfter([0, 500], 2_000).length, 1);
    assert.deepEqual(probersAfter([0, 500], 2_001), []);
  });

  test("pauses that hardly differ are one rhythm, of which the longest counts", () => {
    const [prober] = probersAfter([0, 500, 1_010, 1_500], 1_500);
    assert.deepEqual([prober?.intervalMs, prober?.looks], [510, 1]);
  });

  test("two behind one address take turns", () => {
    const [prober] = probersAfter([0, 100, 500, 600, 1_000, 1_100], 1_100);
    assert.deepEqual([prober?.intervalMs, prober?.looks], [500, 2]);
  });

  test("three behind one address take turns", () => {
    const [prober] = probersAfter([0, 100, 400, 1_000, 1_100, 1_400, 2_000], 2_000);
    assert.deepEqual([prober?.intervalMs, prober?.looks], [1_000, 3]);
  });

  test("without any rhythm the longest two pauses count, and two looks", () => {
    const [prober] = probersAfter([0, 10, 700, 900, 2_000, 2_050, 3_500, 3_510, 3_900], 3_900);
    assert.deepEqual([prober?.intervalMs, prober?.looks], [1_500, 2]);
  });

  test("only the latest questions count, so a new rhythm is learned", () => {
    const quick = Array.from({ length: 50 }, (_, index) => index * 10);
    const slow = Array.from({ length: 9 }, (_, index) => 1_000 + index * 1_000);
    assert.equal(probersAfter([...quick, ...slow], 9_000)[0]?.intervalMs, 1_000);
  });

  test("of more than 64 sources those that ask once make room, those that probe stay", () => {
    const probers = new Probers();
    for (const atMs of [0, 500]) probers.asked("proxy", atMs);
    for (let index = 0; index < 1_000; index++) probers.asked(`passer-by ${index}`, 500);
    for (const atMs of [501, 1_000]) probers.asked("late proxy", atMs);
    assert.deepEqual(
      probers.active(1_000).map(({ source }) => source),
      ["proxy", "late proxy"],
    );
  });

  test("64 are known at most, and one that has gone makes room", () => {
    const probers = new Probers();
    for (const atMs of [0, 100])
      for (let index = 0; index < 64; index++) probers.asked(`proxy ${index}`, atMs);
    for (const atMs of [200, 300]) probers.asked("one too many", atMs);
    assert.equal(probers.active(300).length, 64);
    for (const atMs of [1_000, 1_100]) probers.asked("after them", atMs);
    assert.deepEqual(
      probers.active(1_100).map(({ source }) => source),
      ["after them"],
    );
  });
});

describe("Drain", () => {
  test("nobody probing: it ends where it begins", () => {
    assert.equal(new Drain([], 7).endMs(), 7);
  });

  test("a prober has to see it three times, then gets an interval of its own", () => {
    const drain = new Drain(probersAfter([0, 500, 1_000], 1_200), 1_200);
    assert.deepEqual(
      drain.unaware().map(({ source }) => source),
      ["proxy"],
    );
    for (const atMs of [1_500, 2_000]) drain.asked("proxy", atMs);
    assert.equal(drain.unaware().length, 1);
    assert.equal(drain.endMs(), 2_000 + 3 * 500);
    drain.asked("proxy", 2_500);
    assert.deepEqual(drain.unaware(), []);
    assert.equal(drain.endMs(), 2_500 + 500 + 50);
  });

  test("a prober that does not come back is forgotten after three of its intervals", () => {
    assert.equal(new Drain(probersAfter([0, 500, 1_000], 1_200), 1_200).endMs(), 1_000 + 3 * 500);
  });

  test("of two behind one address the second has to see it three times, too", () => {
    const drain = new Drain(probersAfter([0, 100, 500, 600], 700), 700);
    for (const atMs of [1_000, 1_100, 1_500, 1_600, 2_000]) drain.asked("proxy", atMs);
    assert.equal(drain.unaware().length, 1);
    drain.asked("proxy", 2_100);
    assert.equal(drain.endMs(), 2_100 + 500 + 50);
  });

  test("a prober that asks more often once it has seen it does not hold it up", () => {
    const drain = new Drain(probersAfter([0, 500, 1_000], 1_200), 1_200);
    for (let atMs = 1_500; atMs < 5_000; atMs += 10) drain.asked("proxy", atMs);
    assert.equal(drain.endMs(), 1_520 + 500 + 2 * 50);
  });

  test("who begins to ask in the drain has never seen anything else", () => {
    const drain = new Drain([], 0);
    for (const atMs of [10, 20, 30]) drain.asked("curious", atMs);
    assert.equal(drain.endMs(), 0);
  });

  test("the slowest prober counts", () => {
    const probers = new Probers();
    for (const atMs of [0, 5_000]) probers.asked("slow", atMs);
    for (const atMs of [4_900, 5_000]) probers.asked("quick", atMs);
    const drain = new Drain(probers.active(5_050), 5_050);
    for (const atMs of [5_100, 5_200, 5_300]) drain.asked("quick", atMs);
    for (const atMs of [10_000, 15_000, 20_000]) drain.asked("slow", atMs);
    assert.equal(drain.endMs(), 25_100);
  });

  /** The times at which probers with the same interval ask; all come from one address. */
  function asksOf(
    {
      intervalMs,
      phases,
      jitters,
    }: { intervalMs: number; phases: readonly number[]; jitters: readonly number[] },
    rounds: number,
  ): { atMs: number; who: number }[] {
    const asks = phases.flatMap((phase, who) =>
      Array.from({ length: rounds }, (_, round) => {
        const jitterMs = jitters[(round * phases.length + who) % jitters.length] ?? 0;
        return { atMs: (round + phase) * intervalMs + jitterMs * Math.min(intervalMs / 100, 10), who };
      }),
    );
    return asks.toSorted((a, b) => a.atMs - b.atMs);
  }

  /** Runs the drain as the runtime does; when it ended, and each time that each prober saw it. */
  function drained(asks: readonly { atMs: number; who: number }[], sinceMs: number) {
    const probers = new Probers();
    const before = asks.filter(({ atMs }) => atMs <= sinceMs);
    for (const { atMs } of before) probers.asked("host", atMs);
    const drain = new Drain(probers.active(sinceMs), sinceMs);
    const seenMs: [number[], number[]] = [[], []];
    for (const { atMs, who } of asks.slice(before.length)) {
      if (drain.endMs() <= atMs) break;
      drain.asked("host", atMs);
      seenMs[who]?.push(atMs);
    }
    return { endMs: drain.endMs(), seenMs };
  }

  const phase = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  const jitters = fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 1, maxLength: 40 });
  const intervalMs = fc.integer({ min: 20, max: 10_000 });

  test("two probers behind one address have both seen it as often as they want, whatever their phases, and had time to act", () => {
    const since = fc.double({ min: 2, max: 30, noNaN: true });
    fc.assert(
      fc.property(intervalMs, phase, jitters, since, (interval, other, jitter, sinceRounds) => {
        const rhythm = { intervalMs: interval, phases: [0, other], jitters: jitter };
        const { endMs, seenMs } = drained(asksOf(rhythm, 60), (sinceRounds + 0.1) * interval);
        // Two who take turns at half their interval look like one that asks twice as often.
        const failures = Math.abs(other - 0.5) < 0.1 ? 2 : 3;
        for (const who of [0, 1]) {
          const actMs = endMs - (seenMs[who]?.[failures - 1] ?? Infinity);
          assert.ok(actMs >= Math.min(interval / 20, 50) - 1e-6, `prober ${who} had ${actMs}ms`);
        }
      }),
      { numRuns: 5_000 },
    );
  });

  test("a lone prober has seen it three times, whenever the drain begins, and had its interval to act", () => {
    const since = fc.double({ min: 2, max: 30, noNaN: true });
    fc.assert(
      fc.property(intervalMs, jitters, since, (interval, jitter, sinceRounds) => {
        const asks = asksOf({ intervalMs: interval, phases: [0], jitters: jitter }, 60);
        const { endMs, seenMs } = drained(asks, (sinceRounds + 0.1) * interval);
        assert.ok(endMs - (seenMs[0][2] ?? Infinity) >= interval * 0.97);
      }),
      { numRuns: 2_000 },
    );
  });

  test("a lone prober is waited for four of its intervals at most, and a little", () => {
    const since = fc.double({ min: 3, max: 30, noNaN: true });
    fc.assert(
      fc.property(intervalMs, jitters, since, (interval, jitter, sinceRounds) => {
        const asks = asksOf({ intervalMs: interval, phases: [0], jitters: jitter }, 60);
        const sinceMs = sinceRounds * interval;
        assert.ok(drained(asks, sinceMs).endMs - sinceMs <= interval * 4.3);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("drainRule", () => {
  const usual = { kubernetes: false, attended: false };
  const cases = [
    ["a duration holds everywhere", 250, { ...usual, kubernetes: true, attended: true }, 250],
    ["at a terminal nobody waits", "auto", { ...usual, kubernetes: true, attended: true }, 0],
    ["Kubernetes takes 5 s", "auto", { ...usual, kubernetes: true }, 5_000],
    ["Traefik's HTTP provider takes 7 s", "auto", { ...usual, publisher: "http" }, 7_000],
    ["Traefik's Redis provider takes 3 s", "auto", { ...usual, publisher: "redis" }, 3_000],
  ] as const;
  for (const [name, setting, context, waitMs] of cases) {
    test(name, () => assert.deepEqual(drainRule(setting, context), { until: "time", waitMs }));
  }

  test("else the probers decide", () => {
    assert.deepEqual(drainRule("auto", usual), { until: "probers" });
  });

  test("a drain takes half the budget at most", () => {
    assert.equal(drainMs({ until: "time", waitMs: 8_000 }, 10_000), 5_000);
    assert.equal(drainMs({ until: "time", waitMs: 4_000 }, 10_000), 4_000);
    assert.equal(drainMs({ until: "probers" }, 9_000), 4_500);
  });
});
