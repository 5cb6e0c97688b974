// What replicas leave to each other: even shares of what is open, also for one that nobody submits to; nothing for one that is not up yet;
// and what none of them knows is seen to be parked, until somebody does.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type ReplicaNews, shareOf, surplusOf } from "../../src/core/replica-load.ts";
import type { IntentRegistry } from "../../src/plane/intents.ts";
import { saga } from "../../src/plane/saga-builder.ts";
import type { Ownerships, Store } from "../../src/ports/store.ts";
import { Cluster, LEASE_MS, type Replica, submit } from "./cluster.ts";
import { traceOf } from "./engine-rig.ts";

const waits = saga("waits").signal("go");

const open = (replicas: readonly Replica[]): number[] => replicas.map(({ engine }) => engine.openCount);

/** Time goes on in small steps, as it does. */
async function pass(cluster: Cluster, ms: number): Promise<void> {
  for (let passedMs = 0; passedMs < ms; passedMs += 100) await cluster.clock.advance(100);
}

test("surplusOf leaves nobody with less than the share, and nothing to those that cannot take it", () => {
  const replica = fc.record({
    starting: fc.boolean(),
    open: fc.nat(1_000),
    definitions: fc.subarray(["a", "b", "c"]),
  });
  fc.assert(
    fc.property(replica, fc.array(replica, { maxLength: 5 }), (own: ReplicaNews, others: ReplicaNews[]) => {
      const { count, takers } = surplusOf(own, others);
      const share = shareOf([own, ...others]);
      const below = others.filter(({ starting, open }) => !starting && open < share);
      assert.ok(count >= 0 && count <= own.open);
      if (count > 0) assert.ok(own.starting || own.open - count >= share);
      if (below.length === 0) assert.equal(count, 0);
      assert.deepEqual(
        [...takers].toSorted(),
        ["a", "b", "c"].filter((name) => below.some((one) => one.definitions.includes(name))),
      );
    }),
  );
});

test("what a replica leaves behind is taken over whole by those that are there, whatever each of them knows", async () => {
  await using cluster = await Cluster.make();
  const [one, two] = [saga("one").signal("go"), saga("two").signal("go")];
  const a = await cluster.start((intents) => {
    intents.registerSaga(one);
    intents.registerSaga(two);
  });
  const b = await cluster.start((intents) => intents.registerSaga(one));
  const c = await cluster.start((intents) => intents.registerSaga(two));
  // Too few of each to be shared before.
  const ids: string[] = [];
  for (const type of ["one", "two", "one", "two"]) ids.push((await submit(a, type)).id);
  for (const id of ids) await cluster.until(id, "step_started");
  await pass(cluster, 2 * LEASE_MS);
  a.kill();
  await pass(cluster, LEASE_MS + 1_000);
  assert.deepEqual(open([b, c]), [2, 2]);
  for (const id of ids) assert.ok(!traceOf(await cluster.log(id)).includes("saga_parked"));
});

test("replicas that nobody submits to get their share of what waits", async () => {
  await using cluster = await Cluster.make();
  const register = (intents: IntentRegistry): void => intents.registerSaga(waits);
  const a = await cluster.start(register);
  const ids: string[] = [];
  for (let count = 0; count < 30; count++) ids.push((await submit(a, "waits")).id);
  assert.deepEqual(open([a]), [30]);
  const b = await cluster.start(register);
  const c = await cluster.start(register);
  await pass(cluster, 4 * LEASE_MS);
  const counts = open([a, b, c]);
  assert.equal(
    counts.reduce((sum, count) => sum + count),
    30,
  );
  for (const count of counts) assert.ok(count >= 7 && count <= 13, String(counts));
  for (const id of ids) await a.executions.signal(id, { name: "go" });
  for (const id of ids) assert.equal((await b.executions.get(id)).state, "completed");
});

test("what a replica has left it does not take back before others could", async () => {
  await using cluster = await Cluster.make();
  const register = (intents: IntentRegistry): void => intents.registerSaga(waits);
  const later = (delayMs: number) => (store: Store & Ownerships) => ({
    ...store,
    claim: async (options: Parameters<Ownerships["claim"]>[0]) => {
      if (isUp) await new Promise<void>((resolve) => void cluster.clock.after(delayMs, resolve));
      return store.claim(options);
    },
  });
  let isUp = false;
  const a = await cluster.start(register, { wrap: later(10) });
  for (let count = 0; count < 30; count++) await submit(a, "waits");
  const b = await cluster.start(register, { wrap: later(90) });
  isUp = true;
  await pass(cluster, LEASE_MS / 3 + 200);
  assert.deepEqual(open([a, b]), [15, 15]);
});

test("what has steps under way changes hands between two of them, and each is called once", async () => {
  await using cluster = await Cluster.make();
  const calls: string[] = [];
  const by = new Map<string, number>();
  const register = (name: string) => (intents: IntentRegistry) => {
    const step = {
      timeout: "1h",
      execute: ({ key }: { key: string }) =>
        new Promise<void>((resolve) => {
          calls.push(key);
          by.set(name, (by.get(name) ?? 0) + 1);
          cluster.clock.after(400, resolve);
        }),
    };
    let long = saga("long");
    for (let index = 0; index < 20; index++) long = long.step(`s${index}`, step) as typeof long;
    intents.registerSaga(long);
  };
  const a = await cluster.start(register("a"));
  const all = await Promise.all(Array.from({ length: 12 }, () => submit(a, "long")));
  const b = await cluster.start(register("b"));
  await pass(cluster, 2 * LEASE_MS);
  assert.ok((by.get("b") ?? 0) > 30, `b has called ${by.get("b")}`);
  await pass(cluster, 2 * LEASE_MS);
  for (const { id } of all) assert.equal((await b.executions.get(id)).state, "completed");
  assert.equal(new Set(calls).size, 12 * 20);
  assert.equal(calls.length, 12 * 20);
});

test("functions stay where they have begun", async () => {
  await using cluster = await Cluster.make();
  const ends: (() => void)[] = [];
  const register = (intents: IntentRegistry): void => {
    intents.register("function", {}, () => new Promise<void>((resolve) => void ends.push(resolve)));
    intents.registerSaga(waits);
  };
  const a = await cluster.start(register);
  const all = await Promise.all(Array.from({ length: 12 }, () => submit(a, "function")));
  for (let count = 0; count < 12; count++) await submit(a, "waits");
  const b = await cluster.start(register);
  await pass(cluster, 2 * LEASE_MS);
  assert.deepEqual(open([a, b]), [12, 12]);
  for (const end of ends) end();
  await cluster.clock.advance(0);
  for (const { id } of all) assert.equal((await b.executions.get(id)).state, "completed");
});

test("one that is not up yet takes nothing while another is, and leaves to it what it has", async () => {
  await using cluster = await Cluster.make();
  const register = (intents: IntentRegistry): void => intents.registerSaga(waits);
  const a = await cluster.start(register);
  const early = await submit(a, "waits");
  const b = await cluster.start(register, { run: false });
  const late = await submit(b, "waits");
  await cluster.until(early.id, "step_started");
  await pass(cluster, LEASE_MS);
  assert.deepEqual(open([a, b]), [2, 0]);
  await cluster.until(late.id, "step_started");
  a.kill();
  // There is nobody else any more.
  await pass(cluster, 2 * LEASE_MS);
  assert.equal(b.engine.openCount, 2);
  b.engine.run();
  await b.executions.signal(early.id, { name: "go" });
  assert.equal((await b.executions.get(early.id)).state, "completed");
});

test("what one leaves when it stops is not for one that is not up yet, while another runs", async () => {
  await using cluster = await Cluster.make();
  const register = (intents: IntentRegistry): void => intents.registerSaga(waits);
  const a = await cluster.start(register);
  const b = await cluster.start(register);
  const c = await cluster.start(register, { run: false });
  const { id } = await submit(a, "waits");
  await cluster.until(id, "step_started");
  b.clock.stop();
  await a.engine.stop({ signal: new AbortController().signal });
  await pass(cluster, 1_000);
  assert.deepEqual(open([b, c]), [0, 0]);
  b.clock.goOn();
  await cluster.clock.advance(500);
  assert.deepEqual(open([b, c]), [1, 0]);
});

test("G8: what no replica knows is parked, and goes on with one that does", async () => {
  await using cluster = await Cluster.make();
  const a = await cluster.start((intents) => intents.registerSaga(waits));
  const b = await cluster.start(() => {});
  const { id } = await submit(a, "waits");
  await cluster.until(id, "step_started");
  a.kill();
  const waited = b.executions.wait(id, { timeoutMs: 1e9 });
  await pass(cluster, 1.5 * LEASE_MS);
  assert.equal((await b.executions.get(id)).state, "running", "somebody may yet know it");
  await pass(cluster, 2.5 * LEASE_MS);
  const parked = await waited;
  assert.equal(parked.state, "parked");
  assert.match(parked.error?.message ?? "", /nobody here knows the definition/);
  const c = await cluster.start((intents) => intents.registerSaga(waits));
  await pass(cluster, LEASE_MS);
  assert.deepEqual(open([b, c]), [0, 1]);
  await b.executions.signal(id, { name: "go" });
  await cluster.until(id, "saga_completed");
  assert.equal(traceOf(await cluster.log(id)).filter((type) => type === "saga_parked").length, 1);
});
