// What waits: cancels, timers, signals, the time of a saga, and callers. Part of engine.test.ts, which runs it over each store.
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { saga } from "../../src/plane/saga-builder.ts";
import { isProblem, Rig } from "./engine-rig.ts";

type KeepTrace = (name: string, rig: Rig, id: string) => Promise<string[]>;

export function waiting(url: string, keepTrace: KeepTrace): void {
  test("a cancel ends a sleep at once, and is a conflict once it is over", async () => {
    await using rig = await Rig.make(url);
    const undone: number[] = [];
    rig.intents.registerSaga(
      saga("c")
        .step("one", { execute: () => 1, compensate: () => undone.push(1) })
        .sleep("night", "8h")
        .step("two", { execute: () => assert.fail("a step started after a cancel") }),
    );
    const { id } = await rig.submit("c");
    await rig.until(id, "timer_set");
    await rig.executions.cancel(id);
    await rig.executions.cancel(id).catch(() => {});
    const done = await rig.executions.wait(id, { timeoutMs: 1e6 });
    assert.deepEqual([done.state, undone], ["cancelled", [1]]);
    await assert.rejects(rig.executions.cancel(id), isProblem("conflict"));
    const trace = await keepTrace("cancel", rig, id);
    assert.equal(trace.filter((type) => type === "cancel_requested").length, 1);
  });

  test("a cancel lets the step under way come to its end, and undoes it", async () => {
    await using rig = await Rig.make(url);
    const { promise, resolve } = Promise.withResolvers<number>();
    const undone: unknown[] = [];
    rig.intents.registerSaga(
      saga("c").step("one", { execute: () => promise, compensate: ({ output }) => undone.push(output) }),
    );
    const { id } = await rig.submit("c");
    await rig.until(id, "step_started");
    assert.equal((await rig.executions.cancel(id)).state, "compensating");
    resolve(3);
    assert.deepEqual([(await rig.settled(id)).state, undone], ["cancelled", [3]]);
  });

  test("a cancelled function is told so by its signal", async () => {
    await using rig = await Rig.make(url);
    rig.intents.register("f", {}, ({ signal }) => {
      return new Promise((_, reject) =>
        signal.addEventListener("abort", () => reject(signal.reason as Error)),
      );
    });
    const { id } = await rig.submit("f");
    await rig.until(id, "execution_started");
    assert.equal((await rig.executions.cancel(id)).state, "running");
    assert.equal((await rig.settled(id)).state, "cancelled");
    await keepTrace("function cancel", rig, id);
  });

  test("a timer fires once, not early, and after a restart", async () => {
    await using rig = await Rig.make(url);
    const register = (intents: Rig["intents"]): void =>
      intents.registerSaga(
        saga("t")
          .sleep("night", "10s")
          .step("wake", { execute: () => 1 }),
      );
    register(rig.intents);
    const { id } = await rig.submit("t");
    await rig.until(id, "timer_set");
    await rig.clock.advance(9_998);
    assert.equal((await rig.executions.get(id)).state, "running");
    if (url !== "memory:") {
      await rig.fall();
      await rig.start({ register });
    }
    const fired = async (): Promise<number> =>
      (await rig.log(id)).filter(({ type }) => type === "timer_fired").length;
    assert.equal(await fired(), 0);
    const done = rig.executions.wait(id, { timeoutMs: 1e6 });
    await rig.clock.advance(2);
    assert.equal((await done).state, "completed");
    assert.equal(await fired(), 1);
    await keepTrace("sleep", rig, id);
  });

  test("a clock that is set back keeps nobody asleep", async () => {
    await using rig = await Rig.make(url);
    rig.intents.registerSaga(saga("t").sleep("night", "10s"));
    const { id } = await rig.submit("t");
    await rig.until(id, "timer_set");
    rig.setBack(3_600_000);
    const done = rig.executions.wait(id, { timeoutMs: 1e6 });
    await rig.clock.advance(10_001);
    assert.equal((await done).state, "completed");
  });

  test("the time of a saga ends it, and not past its pivot", async () => {
    await using rig = await Rig.make(url);
    const late = (name: string, pivot: boolean) =>
      saga(name, { timeout: "5s" })
        .step("one", { execute: () => 1, pivot })
        .sleep("night", "1m");
    rig.intents.registerSaga(late("late", false));
    rig.intents.registerSaga(late("past", true));
    const done = await rig.run("late");
    assert.deepEqual([done.state, done.error?.reason], ["compensated", "timeout"]);
    assert.equal((await rig.run("past")).state, "completed");
    await keepTrace("saga timeout", rig, done.id);
  });

  test("a signal ends a wait, early or late, and its payload is checked", async () => {
    await using rig = await Rig.make(url);
    rig.intents.registerSaga(
      saga("w")
        .sleep("before", "5s")
        .signal("approved", { input: z.object({ by: z.string() }), timeout: "1h" }),
    );
    const { id } = await rig.submit("w");
    await rig.until(id, "timer_set");
    const say = (name: string, payload: { by: string | number }) =>
      rig.executions.signal(id, { name, payload });
    await assert.rejects(say("denied", { by: "ann" }), isProblem("conflict"));
    await assert.rejects(say("approved", { by: 3 }), isProblem("invalid", "payload.by"));
    await say("approved", { by: "ann" });
    await assert.rejects(say("approved", { by: "bob" }), isProblem("conflict"));
    const done = await rig.settled(id);
    assert.deepEqual([done.state, done.result], ["completed", { approved: { by: "ann" } }]);
    await keepTrace("signal", rig, id);
  });

  test("a wait ends when its time is over, when it is told to, or when it has settled", async () => {
    await using rig = await Rig.make(url);
    rig.intents.registerSaga(saga("w").signal("go"));
    const { id } = await rig.submit("w");
    await rig.until(id, "step_started");
    const inTime = rig.executions.wait(id, { timeoutMs: 500 });
    await rig.clock.advance(500);
    assert.equal((await inTime).state, "running");
    const gone = new AbortController();
    const told = rig.executions.wait(id, { timeoutMs: 1e9, signal: gone.signal });
    gone.abort();
    assert.equal((await told).state, "running");
    const settled = rig.executions.wait(id, { timeoutMs: 1e9 });
    await rig.executions.signal(id, { name: "go" });
    assert.equal((await settled).state, "completed");
    await assert.rejects(rig.executions.wait("execution_0", { timeoutMs: 1 }), isProblem("not-found"));
  });
}
