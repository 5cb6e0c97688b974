// Several engines over one store: whoever submits carries out, and what one of them leaves another goes on with, in time and only once.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { IntentRegistry } from "../../src/plane/intents.ts";
import { saga } from "../../src/plane/saga-builder.ts";
import { Cluster, LEASE_MS, submit } from "./cluster.ts";
import { traceOf } from "./engine-rig.ts";

const never = (): Promise<never> => new Promise(() => {});

test("what a replica submits it runs, and keeps for longer than a lease; another one sees it", async () => {
  await using cluster = await Cluster.make();
  const { promise, resolve } = Promise.withResolvers<number>();
  const calls: string[] = [];
  const register = (name: string) => (intents: IntentRegistry) =>
    intents.registerSaga(
      saga("s").step("one", { execute: () => (calls.push(name), promise), timeout: "1h" }),
    );
  const a = await cluster.start(register("a"));
  const b = await cluster.start(register("b"));
  const { id } = await submit(a, "s");
  await cluster.until(id, "step_started");
  await cluster.clock.advance(4 * LEASE_MS);
  assert.equal(b.engine.openCount, 0);
  assert.equal((await b.executions.get(id)).state, "running");
  const seen = b.executions.wait(id, { timeoutMs: 1e9 });
  resolve(1);
  assert.equal((await seen).state, "completed");
  assert.deepEqual(calls, ["a"]);
});

test("G6: what a replica leaves goes on elsewhere within the lease and a second, with the same key", async () => {
  await using cluster = await Cluster.make();
  const keys: string[] = [];
  const register = (answer: () => unknown) => (intents: IntentRegistry) =>
    intents.registerSaga(
      saga("s").step("one", { execute: ({ key }) => (keys.push(key), answer()), timeout: "1h" }),
    );
  const a = await cluster.start(register(never));
  const b = await cluster.start(register(() => 1));
  const { id } = await submit(a, "s");
  await cluster.until(id, "step_started");
  a.clock.stop();
  await cluster.clock.advance(LEASE_MS + 1_000);
  await cluster.until(id, "saga_completed");
  assert.deepEqual(
    keys,
    Array.from({ length: 2 }, () => `${id}/one/execute`),
  );
  assert.equal((await b.executions.get(id)).state, "completed");
});

test("G5: a replica that slept through its lease writes nothing any more", async () => {
  await using cluster = await Cluster.make();
  const { promise, resolve } = Promise.withResolvers<string>();
  const register = (answer: () => unknown) => (intents: IntentRegistry) =>
    intents.registerSaga(saga("s").step("one", { execute: answer, timeout: "1h" }).signal("go"));
  const a = await cluster.start(register(() => promise));
  const b = await cluster.start(register(() => "b"));
  const { id } = await submit(a, "s");
  await cluster.until(id, "step_started");
  a.clock.stop();
  await cluster.clock.advance(LEASE_MS + 1_000);
  await cluster.until(id, "step_completed");
  resolve("a");
  await cluster.clock.advance(0);
  a.clock.goOn();
  await cluster.clock.advance(LEASE_MS);
  assert.equal(a.engine.openCount, 0);
  await b.executions.signal(id, { name: "go" });
  await cluster.until(id, "saga_completed");
  assert.deepEqual((await a.executions.get(id)).result, { one: "b", go: null });
  const completed = (await cluster.log(id)).filter(
    ({ type, step }) => type === "step_completed" && step === "one",
  );
  assert.equal(completed.length, 1);
});

test("a replica that slept, and nobody else was there, takes up its own again", async () => {
  await using cluster = await Cluster.make();
  const register = (intents: IntentRegistry) =>
    intents.registerSaga(
      saga("s")
        .sleep("night", "1m")
        .step("one", { execute: () => 1 }),
    );
  const a = await cluster.start(register);
  const { id } = await submit(a, "s");
  await cluster.until(id, "timer_set");
  a.clock.stop();
  await cluster.clock.advance(10 * LEASE_MS);
  a.clock.goOn();
  await cluster.clock.advance(60_000);
  await cluster.until(id, "saga_completed");
  assert.equal(traceOf(await cluster.log(id)).filter((type) => type === "timer_fired night").length, 1);
});

test("a stop hands over at once what has nothing under way, and the rest when that has ended", async () => {
  await using cluster = await Cluster.make();
  const { promise, resolve } = Promise.withResolvers<number>();
  const register = (name: string, answer: () => unknown) => (intents: IntentRegistry) => {
    intents.registerSaga(saga("idle").signal("go"));
    intents.registerSaga(
      saga("busy")
        .step("one", { execute: answer, timeout: "1h" })
        .step("two", { execute: () => name }),
    );
  };
  const a = await cluster.start(register("a", () => promise));
  const b = await cluster.start(register("b", never));
  const idle = await submit(a, "idle");
  const busy = await submit(a, "busy");
  await cluster.until(idle.id, "step_started");
  await cluster.until(busy.id, "step_started");
  const stopped = a.engine.stop({ signal: new AbortController().signal });
  await cluster.clock.advance(500);
  assert.equal(b.engine.openCount, 1);
  await b.executions.signal(idle.id, { name: "go" });
  await cluster.until(idle.id, "saga_completed");
  resolve(1);
  assert.deepEqual(await stopped, { late: [] });
  await cluster.clock.advance(500);
  await cluster.until(busy.id, "saga_completed");
  assert.deepEqual((await b.executions.get(busy.id)).result, { one: 1, two: "b" });
});

test("replicas take over only what they know, also what they learn later", async () => {
  await using cluster = await Cluster.make();
  const one = saga("s").signal("go");
  const a = await cluster.start((intents) => intents.registerSaga(one));
  const b = await cluster.start(() => {});
  const { id } = await submit(a, "s");
  await cluster.until(id, "step_started");
  a.clock.stop();
  await cluster.clock.advance(1.5 * LEASE_MS);
  assert.equal(b.engine.openCount, 0);
  b.intents.registerSaga(one);
  await cluster.clock.advance(0);
  assert.equal(b.engine.openCount, 1);
  assert.ok(!traceOf(await cluster.log(id)).includes("saga_parked"));
});

test("whoever waits for what runs elsewhere reads it again when something of it was appended, and not before", async () => {
  await using cluster = await Cluster.make();
  const a = await cluster.start((intents) => {
    intents.registerSaga(saga("waits").signal("go"));
    intents.registerSaga(saga("done").step("one", { execute: () => 1 }));
  });
  let reads = 0;
  const b = await cluster.start(() => {}, {
    wrap: (store) => ({
      ...store,
      log(tenant, query) {
        if (query.execution !== undefined) reads++;
        return store.log(tenant, query);
      },
    }),
  });
  const execution = await submit(a, "waits");
  await cluster.until(execution.id, "step_started");
  const waited = b.executions.wait(execution.id, { timeoutMs: 1e9 });
  const others = async (count: number): Promise<void> => {
    for (; count > 0; count--) await a.executions.wait((await submit(a, "done")).id, { timeoutMs: 1e9 });
    await cluster.clock.advance(0);
  };
  // By then it listens.
  await others(2);
  const before = reads;
  await others(20);
  assert.equal(reads, before);
  await a.executions.signal(execution.id, { name: "go" });
  assert.equal((await waited).state, "completed");
});
