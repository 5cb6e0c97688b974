import assert from "node:assert/strict";
import { test } from "node:test";
import type { ProbeResult } from "../../src/ports/probe.ts";
import { watchProbe } from "../../src/runtime/prober.ts";
import { testClock } from "../../src/testing.ts";

const SCHEDULE = { intervalMs: 100, timeoutMs: 50, failureThreshold: 2, successThreshold: 1 };

/** Watches a probe that gives `answers` in turn, the last one again and again; tells when it was asked and what was said. */
function watching(answers: readonly boolean[], schedule = SCHEDULE, { isLiveness = false } = {}) {
  const clock = testClock();
  const askedAtMs: number[] = [];
  const said: string[] = [];
  const probe = {
    async check(): Promise<ProbeResult> {
      const ok = answers[Math.min(askedAtMs.length, answers.length - 1)] ?? false;
      askedAtMs.push(clock.now());
      return ok ? { ok } : { ok, reason: "no" };
    },
  };
  const stop = watchProbe(
    { probe, schedule },
    {
      clock,
      onPassed: () => said.push(`passed at ${clock.now()}`),
      onFailed: (reason) => said.push(`failed at ${clock.now()}: ${reason}`),
      failsOnlyAtThreshold: isLiveness,
    },
  );
  return { clock, askedAtMs, said, stop };
}

test("watchProbe asks at once, then after 10, 20, 40 ms up to its interval", async () => {
  const { clock, askedAtMs, stop } = watching([false]);
  await clock.advance(400);
  assert.deepEqual(askedAtMs, [0, 10, 30, 70, 150, 250, 350]);
  stop();
});

test("watchProbe asks at its interval once it has passed", async () => {
  const { clock, askedAtMs, said, stop } = watching([false, true]);
  await clock.advance(310);
  assert.deepEqual(askedAtMs, [0, 10, 110, 210, 310]);
  assert.deepEqual(said, ["failed at 0: no", "passed at 10"]);
  stop();
});

test("watchProbe asks at its interval from the start where failures count before the first pass", async () => {
  const { clock, askedAtMs, said, stop } = watching([false], SCHEDULE, { isLiveness: true });
  await clock.advance(210);
  assert.deepEqual(askedAtMs, [0, 100, 200]);
  assert.deepEqual(said, ["failed at 100: no", "failed at 200: no"]);
  stop();
});

test("watchProbe takes a pass back only after failureThreshold failures in a row", async () => {
  const { clock, said, stop } = watching([true, false, true, false, false]);
  await clock.advance(400);
  assert.deepEqual(said, ["passed at 0", "failed at 400: no"]);
  stop();
});

test("watchProbe waits for no second failure where the first is certain", async () => {
  const answers: ProbeResult[] = [{ ok: true }, { ok: false, reason: "it says so", certain: true }];
  for (const failsOnlyAtThreshold of [false, true]) {
    const clock = testClock();
    const said: string[] = [];
    const probe = { check: async () => answers[Math.min(Number(clock.now() > 0), 1)] as ProbeResult };
    const onFailed = (reason: string) => said.push(`${clock.now()}: ${reason}`);
    const stop = watchProbe(
      { probe, schedule: SCHEDULE },
      { clock, onPassed() {}, onFailed, failsOnlyAtThreshold },
    );
    await clock.advance(100);
    assert.deepEqual(said, ["100: it says so"]);
    stop();
  }
});

test("watchProbe believes a pass only after successThreshold passes in a row", async () => {
  const { clock, said, stop } = watching([true, true, true], { ...SCHEDULE, successThreshold: 3 });
  await clock.advance(100);
  assert.deepEqual(said, ["passed at 30"]);
  stop();
});

test("watchProbe gives up an answer after its timeout and says so", async () => {
  const clock = testClock();
  const said: string[] = [];
  const probe = {
    check: (signal: AbortSignal) =>
      new Promise<ProbeResult>((resolve) =>
        signal.addEventListener("abort", () => resolve({ ok: false, reason: "" })),
      ),
  };
  const stop = watchProbe(
    { probe, schedule: SCHEDULE },
    { clock, onPassed() {}, onFailed: (reason) => said.push(reason) },
  );
  await clock.advance(50);
  assert.deepEqual(said, ["no answer within 50ms"]);
  stop();
});

test("watchProbe asks a probe that waits only once, without a timeout", async () => {
  const clock = testClock();
  let asked = 0;
  const seen = Promise.withResolvers<ProbeResult>();
  const said: string[] = [];
  const probe = { waits: true as const, check: () => (asked++, seen.promise) };
  watchProbe(
    { probe, schedule: SCHEDULE },
    { clock, onPassed: () => said.push("passed"), onFailed: (why) => said.push(why) },
  );
  await clock.advance(10_000);
  seen.resolve({ ok: true });
  await clock.advance(10_000);
  assert.equal(asked, 1);
  assert.deepEqual(said, ["passed"]);
});

test("watchProbe says and asks nothing more once stopped", async () => {
  const { clock, askedAtMs, said, stop } = watching([false]);
  stop();
  await clock.advance(1_000);
  assert.deepEqual(askedAtMs, [0]);
  assert.deepEqual(said, []);
});

test("watchProbe asks one that tells of changes when it does, and at no other time", async () => {
  const clock = testClock();
  const listeners = new Set<() => void>();
  const said: string[] = [];
  let [asked, ok] = [0, true];
  const probe = {
    onChange(ask: () => void) {
      listeners.add(ask);
      return () => void listeners.delete(ask);
    },
    async check(): Promise<ProbeResult> {
      asked++;
      return ok ? { ok } : { ok, reason: "lost" };
    },
  };
  const onFailed = (reason: string) => said.push(reason);
  const schedule = { ...SCHEDULE, failureThreshold: 1 };
  const stop = watchProbe({ probe, schedule }, { clock, onPassed: () => said.push("passed"), onFailed });
  await clock.advance(10_000);
  assert.deepEqual([asked, said], [1, ["passed"]]);
  ok = false;
  for (const ask of listeners) ask();
  await clock.advance(0);
  assert.deepEqual([asked, said], [2, ["passed", "lost"]]);
  stop();
  assert.equal(listeners.size, 0);
});
