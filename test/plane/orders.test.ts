// Orders from any replica: whoever is asked, the answer is the owner's; what is acknowledged is done, and done once, whoever dies or takes
// over meanwhile; and what nobody comes to in time is not done later.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { z } from "zod";
import type { IntentRegistry } from "../../src/plane/intents.ts";
import { saga } from "../../src/plane/saga-builder.ts";
import type { Execution } from "../../src/ports/plane.ts";
import type { Commit } from "../../src/ports/store.ts";
import { Cluster, LEASE_MS, type Replica, submit } from "./cluster.ts";
import { isProblem, SESSION, traceOf } from "./engine-rig.ts";

const never = (): Promise<never> => new Promise(() => {});
const undo = (): void => {};
const fails = (): never => {
  throw new Error("no");
};

function register(intents: IntentRegistry): void {
  intents.registerSaga(
    saga("waits")
      .step("one", { execute: () => 1, compensate: undo })
      .signal("go", { input: z.string() }),
  );
  intents.registerSaga(
    saga("past")
      .step("one", { execute: () => 1, pivot: true })
      .signal("go"),
  );
  intents.registerSaga(
    saga("stuck")
      .step("one", { execute: () => 1, compensate: fails, retry: { attempts: 1 } })
      .step("two", { execute: fails }),
  );
  intents.registerSaga(saga("done").step("one", { execute: () => 1 }));
  intents.register("function", {}, never);
}

/** Time goes on, half a second at a time, until it has settled one way or the other. */
async function inTime<T>(cluster: Cluster, work: Promise<T>, limitMs = 60_000): Promise<T> {
  let isSettled = false;
  const settled = work.finally(() => (isSettled = true));
  settled.catch(() => {});
  for (let ms = 0; !isSettled && ms < limitMs; ms += 250) await cluster.clock.advance(250);
  assert.ok(isSettled, "it has settled in time");
  return settled;
}

const steps = async (cluster: Cluster, { id }: Execution, count: number): Promise<void> => {
  for (let turns = 0; turns < 1000 && (await cluster.log(id)).length < count; turns++)
    await cluster.clock.advance(0);
};

type Ask = (replica: Replica, id: string) => Promise<Execution>;

const asks: Record<string, Ask> = {
  cancel: ({ executions }, id) => executions.cancel(id),
  retry: ({ executions }, id) => executions.retry(id),
  done: ({ executions }, id) => executions.resolve(id, { action: "done", step: "one" }),
  abort: ({ executions }, id) => executions.resolve(id, { action: "abort" }),
  signal: ({ executions }, id) => executions.signal(id, { name: "go", payload: "yes" }),
  "signal that is none": ({ executions }, id) => executions.signal(id, { name: "stop" }),
  "signal with a payload that it does not take": ({ executions }, id) =>
    executions.signal(id, { name: "go", payload: 1 }),
};

/** What came of it, without what differs from one execution to the next. */
async function outcomeOf(cluster: Cluster, order: Promise<Execution>, id: string): Promise<unknown> {
  const answer = await inTime(cluster, order).then(
    () => "done",
    ({ problem, message, errors }) => ({ problem, message: message.replaceAll(id, "ID"), errors }),
  );
  await cluster.clock.advance(1_000);
  return { answer, trace: traceOf(await cluster.log(id)) };
}

describe("the answer is the owner's, whoever is asked", () => {
  for (const [type, records] of [
    ["waits", 5],
    ["past", 5],
    ["stuck", 7],
    ["done", 5],
    ["function", 2],
  ] as const)
    for (const [name, ask] of Object.entries(asks))
      test(`${name}, of "${type}"`, async () => {
        await using cluster = await Cluster.make();
        const a = await cluster.start(register);
        const b = await cluster.start(register);
        const [here, there] = [await submit(a, type), await submit(a, type)];
        await steps(cluster, here, records);
        await steps(cluster, there, records);
        assert.deepEqual(
          await outcomeOf(cluster, ask(b, there.id), there.id),
          await outcomeOf(cluster, ask(a, here.id), here.id),
        );
        assert.equal(b.engine.openCount, 0);
      });
});

test("an execution that is not there is found nowhere", async () => {
  await using cluster = await Cluster.make();
  const a = await cluster.start(register);
  await assert.rejects(a.executions.cancel("execution_0"), isProblem("not-found"));
});

test("an owner that dies before it comes to an order: whoever takes over carries it out", async () => {
  await using cluster = await Cluster.make();
  const a = await cluster.start(register);
  const b = await cluster.start(register);
  const c = await cluster.start(() => {});
  const execution = await submit(a, "waits");
  await steps(cluster, execution, 5);
  a.kill();
  const cancelled = c.executions.cancel(execution.id);
  await cluster.clock.advance(LEASE_MS / 2);
  assert.ok(!traceOf(await cluster.log(execution.id)).includes("cancel_requested"));
  await inTime(cluster, cancelled, LEASE_MS / 2 + 1_500);
  await cluster.until(execution.id, "saga_compensated");
  assert.equal((await b.executions.get(execution.id)).state, "cancelled");
});

test("an owner that dies while it answers: the order is carried out, and once", async () => {
  await using cluster = await Cluster.make();
  let dies = (): void => {};
  const isAnswer = ({ put = [] }: Commit) => put.some(({ key }) => key.startsWith("answer/"));
  const a = await cluster.start(register, {
    wrap: (store) => ({
      ...store,
      async commit(tenant, commit) {
        const result = await store.commit(tenant, commit);
        if (!isAnswer(commit)) return result;
        dies();
        return never();
      },
    }),
  });
  dies = () => a.kill();
  const b = await cluster.start(register);
  const c = await cluster.start(register);
  const execution = await submit(a, "waits");
  await steps(cluster, execution, 5);
  await inTime(cluster, c.executions.signal(execution.id, { name: "go", payload: "yes" }));
  await cluster.clock.advance(LEASE_MS + 1_000);
  const trace = traceOf(await cluster.log(execution.id));
  assert.equal(trace.filter((type) => type === "signal_received").length, 1);
  assert.equal((await b.executions.get(execution.id)).state, "completed");
});

test("whoever is asked dies: the order stands", async () => {
  await using cluster = await Cluster.make();
  const a = await cluster.start(register);
  const b = await cluster.start(register, {
    wrap: (store) => ({
      ...store,
      // It has left its letter, and that is the last of it.
      get: (tenant, keys) =>
        keys.some((key) => key.startsWith("answer/")) ? never() : store.get(tenant, keys),
    }),
  });
  const execution = await submit(a, "waits");
  await steps(cluster, execution, 5);
  void b.executions.cancel(execution.id);
  await cluster.until(execution.id, "saga_compensated");
  await assert.rejects(a.executions.cancel(execution.id), isProblem("conflict"));
});

test("what is nobody's is claimed by whoever is asked", async () => {
  await using cluster = await Cluster.make();
  const a = await cluster.start(register);
  const execution = await submit(a, "waits");
  await steps(cluster, execution, 5);
  const b = await cluster.start(register);
  b.clock.stop();
  await a.engine.stop({ signal: new AbortController().signal });
  assert.equal(b.engine.openCount, 0);
  const cancelled = b.executions.cancel(execution.id);
  await cluster.clock.advance(0);
  b.clock.goOn();
  await inTime(cluster, cancelled);
  await cluster.until(execution.id, "saga_compensated");
  assert.equal((await b.executions.get(execution.id)).state, "cancelled");
});

test("an order that is under way when its owner stops goes on to the next one", async () => {
  await using cluster = await Cluster.make();
  const a = await cluster.start(register);
  const b = await cluster.start(() => {});
  const execution = await submit(a, "waits");
  await steps(cluster, execution, 5);
  a.clock.stop();
  const stopped = a.engine.stop({ signal: new AbortController().signal });
  const sent = b.executions.signal(execution.id, { name: "go", payload: "yes" });
  await stopped;
  await cluster.clock.advance(1_000);
  const c = await cluster.start(register);
  await inTime(cluster, sent);
  await cluster.until(execution.id, "saga_completed");
  assert.deepEqual((await c.executions.get(execution.id)).result, { one: 1, go: "yes" });
});

test("what nobody comes to in time is refused, and not done later", async () => {
  await using cluster = await Cluster.make();
  let isBlind = true;
  const a = await cluster.start(register, {
    wrap: (store) => ({
      ...store,
      async scan(tenant, query) {
        const found = await store.scan(tenant, query);
        return isBlind && query.prefix === "order/" ? { items: [] } : found;
      },
    }),
  });
  const b = await cluster.start(() => {});
  const execution = await submit(a, "waits");
  await steps(cluster, execution, 5);
  await assert.rejects(inTime(cluster, b.executions.cancel(execution.id)), /nothing was done, so ask again/);
  isBlind = false;
  await cluster.clock.advance(LEASE_MS);
  assert.ok(!traceOf(await cluster.log(execution.id)).includes("cancel_requested"));
});

test("an order that comes too late is told how it ended", async () => {
  await using cluster = await Cluster.make();
  const a = await cluster.start(register, {
    wrap: (store) => ({
      ...store,
      // It comes to no order before the end.
      scan: (tenant, query) => (query.prefix === "order/" ? never() : store.scan(tenant, query)),
    }),
  });
  const b = await cluster.start(register);
  const execution = await submit(a, "waits");
  await steps(cluster, execution, 5);
  const cancelled = b.executions.cancel(execution.id);
  cancelled.catch(() => {});
  await cluster.clock.advance(0);
  await a.executions.signal(execution.id, { name: "go", payload: "yes" });
  await assert.rejects(inTime(cluster, cancelled, 1_000), /it is completed/);
});

test("a replica that claims its own again carries out what it had begun to", async () => {
  await using cluster = await Cluster.make();
  let answers = 0;
  const a = await cluster.start(register, {
    wrap: (store) => ({
      ...store,
      commit: (tenant, commit) =>
        commit.put?.some(({ key }) => key.startsWith("answer/")) && ++answers === 1
          ? never()
          : store.commit(tenant, commit),
    }),
  });
  const b = await cluster.start(() => {});
  const execution = await submit(a, "waits");
  await steps(cluster, execution, 5);
  const cancelled = b.executions.cancel(execution.id);
  for (let turns = 0; turns < 100 && answers === 0; turns++) await cluster.clock.advance(0);
  a.clock.stop();
  await cluster.clock.advance(LEASE_MS);
  a.clock.goOn();
  await inTime(cluster, cancelled, LEASE_MS);
  await cluster.until(execution.id, "saga_compensated");
});

test("an order that is withdrawn while its owner writes is not done, and all else is", async () => {
  await using cluster = await Cluster.make();
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  const places: string[] = [];
  const { promise, resolve } = Promise.withResolvers<number>();
  const a = await cluster.start(
    (intents) => {
      intents.registerSaga(
        saga("s")
          .step("one", { execute: () => promise, timeout: "1h" })
          .step("two", { execute: () => 2 }),
      );
    },
    {
      wrap: (store) => ({
        ...store,
        async commit(tenant, commit) {
          const place = commit.put?.find(({ key }) => key.startsWith("answer/"))?.key;
          if (place !== undefined) {
            places.push(place);
            await gate;
          }
          return store.commit(tenant, commit);
        },
      }),
    },
  );
  const b = await cluster.start(() => {});
  const execution = await submit(a, "s");
  await cluster.until(execution.id, "step_started");
  await assert.rejects(inTime(cluster, b.executions.cancel(execution.id)), /nothing was done, so ask again/);
  assert.equal(places.length, 1);
  open();
  resolve(1);
  await cluster.until(execution.id, "saga_completed");
  assert.ok(!traceOf(await cluster.log(execution.id)).includes("cancel_requested"));
});

/** What each replica may be told, at random. */
const script = fc.array(
  fc.record({
    replica: fc.nat(2),
    ask: fc.constantFrom("cancel", "signal", "retry", "done", "abort"),
    ms: fc.constantFrom(0, 0, 10, 300),
  }),
  { minLength: 1, maxLength: 6 },
);

test("orders at random replicas, one after the other, come to what they come to at one", async () => {
  await fc.assert(
    fc.asyncProperty(
      script,
      fc.constantFrom("waits", "past", "stuck", "function"),
      fc.nat(2),
      async (orders, type, owner) => {
        const run = async (replicas: number): Promise<unknown> => {
          await using cluster = await Cluster.make();
          for (let count = 0; count < replicas; count++) await cluster.start(register);
          const at = (index: number): Replica => cluster.replicas[index % replicas] as Replica;
          const { id } = await at(owner).executions.submit({ type, session: SESSION, payload: {} });
          await cluster.clock.advance(1_000);
          const outcomes: unknown[] = [];
          for (const { replica, ask, ms } of orders) {
            const order = (asks[ask] as Ask)(at(replica), id);
            outcomes.push(await outcomeOf(cluster, order, id));
            await cluster.clock.advance(ms);
          }
          return outcomes;
        };
        assert.deepEqual(await run(3), await run(1));
      },
    ),
    { numRuns: 15 },
  );
});

test("orders at random replicas at once, whoever dies: each that is acknowledged was done, and once", async () => {
  await fc.assert(
    fc.asyncProperty(script, fc.nat(2), fc.nat(1_500), async (orders, victim, killedMs) => {
      await using cluster = await Cluster.make();
      const signals = Array.from({ length: 6 }, (_, index) => `s${index}`);
      const many = (intents: IntentRegistry): void => {
        let all = saga("many");
        for (const name of signals) all = all.signal(name, { input: z.string() }) as typeof all;
        intents.registerSaga(all);
      };
      for (let count = 0; count < 3; count++) await cluster.start(many);
      const [first] = cluster.replicas as [Replica];
      const { id } = await submit(first, "many");
      await cluster.clock.advance(100);
      const done: string[] = [];
      const underWay = orders.map(async ({ replica }, index) => {
        const name = signals[index] ?? "";
        const { executions } = cluster.replicas[replica] as Replica;
        // Whoever was asked of the one that dies never hears.
        await executions.signal(id, { name, payload: name }).then(
          () => done.push(name),
          () => {},
        );
      });
      await cluster.clock.advance(killedMs);
      (cluster.replicas[victim] as Replica).kill();
      for (let ms = 0; ms < 10_000; ms += 500) await cluster.clock.advance(500);
      void Promise.all(underWay);
      const received = (await cluster.log(id))
        .filter(({ type }) => type === "signal_received")
        .map(({ payload }) => (payload as { name: string }).name);
      assert.equal(new Set(received).size, received.length);
      for (const name of done) assert.ok(received.includes(name), name);
      const alive = orders.flatMap(({ replica }, index) =>
        replica === victim ? [] : (signals[index] ?? []),
      );
      for (const name of alive) assert.ok(done.includes(name), `${name} has an answer`);
    }),
    { numRuns: 10 },
  );
});
