// What callers ask of executions: submit with a key, get, list, and what outlives a process. Over a real store, in memory or, where
// something has to outlive, in SQLite.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { z } from "zod";
import { UsageError } from "../../src/errors.ts";
import { TenantExecutions } from "../../src/plane/executions.ts";
import { saga } from "../../src/plane/saga-builder.ts";
import type { IntentRegistry } from "../../src/plane/intents.ts";
import { isProblem, LIMITS, Rig, SESSION, sessions, TENANT, traceOf } from "./engine-rig.ts";

const MEMORY = "memory:";
const SQLITE = "sqlite:haraka.db";

const quick = (intents: IntentRegistry): void => {
  intents.register("quick", {}, ({ input }) => input);
};

describe("submit", () => {
  test("refuses an unknown session, an unknown type and a bad payload, telling every problem", async () => {
    await using rig = await Rig.make(MEMORY, { register: quick });
    const input = z.object({ sku: z.string(), lines: z.array(z.object({ n: z.number() })) });
    rig.intents.register("strict", { input }, () => 1);
    const submit = (type: string, session: string) => rig.executions.submit({ type, session, payload: {} });
    await assert.rejects(submit("quick", "session_2"), isProblem("not-found"));
    await assert.rejects(submit("none", SESSION), isProblem("invalid", "type"));
    await assert.rejects(rig.submit("strict", { sku: 3, lines: [{ n: "x" }] }), (error: unknown) => {
      const { errors } = error as { errors: { path: string }[] };
      assert.deepEqual(
        errors.map(({ path }) => path),
        ["payload.sku", "payload.lines[0].n"],
      );
      return isProblem("invalid")(error);
    });
    const { items } = await rig.executions.list();
    assert.deepEqual(items, []);
  });

  test("refuses a payload by the JSON Schema of a config, telling every problem", async () => {
    await using rig = await Rig.make(MEMORY);
    const line = { type: "object", required: ["n"], properties: { n: { type: "integer", minimum: 1 } } };
    const input = {
      type: "object",
      required: ["sku", "lines"],
      properties: { sku: { type: "string" }, lines: { type: "array", items: line } },
      additionalProperties: false,
    };
    const { definition } = saga("order.place").step("one", { execute: () => 1 });
    rig.intents.registerHttp({ definition: { ...definition, input }, calls: new Map() });
    await assert.rejects(rig.submit("order.place", { lines: [{ n: 0 }, {}], "a/b": 1 }), (error: unknown) => {
      const { errors } = error as { errors: { path: string; message: string }[] };
      assert.deepEqual(
        errors.map(({ path, message }) => `${path}: ${message}`),
        [
          'payload: Instance does not have required property "sku".',
          "payload.lines[0].n: 0 is less than 1.",
          'payload.lines[1]: Instance does not have required property "n".',
          "payload.a/b: it is not expected here",
        ],
      );
      return isProblem("invalid")(error);
    });
  });

  test("refuses what is no JSON, or nested too deep", async () => {
    await using rig = await Rig.make(MEMORY, { register: quick });
    let deep: Parameters<typeof rig.submit>[1] = 1;
    for (let level = 0; level < 65; level++) deep = [deep];
    await assert.rejects(rig.submit("quick", deep), isProblem("invalid"));
    await assert.rejects(rig.submit("quick", 1n as unknown as number), isProblem("invalid", "payload"));
  });

  test("gives the same execution for the same key and intent, also at once and after a restart", async () => {
    await using rig = await Rig.make(SQLITE, { register: quick });
    const all = await Promise.all(Array.from({ length: 20 }, () => rig.submit("quick", { a: 1, b: 2 }, "k")));
    const [{ id } = assert.fail()] = all;
    assert.ok(all.every((one) => one.id === id));
    assert.equal((await rig.submit("quick", { b: 2, a: 1 }, "k")).id, id);
    await rig.settled(id);
    await rig.fall();
    await rig.start({ register: quick });
    const again = await rig.submit("quick", { a: 1, b: 2 }, "k");
    assert.deepEqual([again.id, again.state], [id, "completed"]);
    assert.notEqual((await rig.submit("quick", { a: 1, b: 2 }, "other")).id, id);
    assert.notEqual((await rig.submit("quick", { a: 1, b: 2 })).id, id);
    assert.equal(traceOf(await rig.log(id)).length, 3);
  });

  test("makes another execution for a key whose own is no longer kept", async () => {
    await using rig = await Rig.make(MEMORY, { register: quick });
    const { id } = await rig.submit("quick", 1, "k");
    await rig.settled(id);
    await rig.current.store.commit(TENANT, { remove: [`execution/${id}`] });
    const all = await Promise.all([1, 2, 3].map(() => rig.submit("quick", 1, "k")));
    assert.notEqual(all[0]?.id, id);
    assert.ok(all.every((one) => one.id === all[0]?.id));
  });

  test("refuses a key that was another intent's", async () => {
    await using rig = await Rig.make(MEMORY, { register: quick });
    await rig.submit("quick", { a: 1 }, "k");
    await assert.rejects(rig.submit("quick", { a: 2 }, "k"), isProblem("mismatch"));
    await assert.rejects(rig.submit("slow", { a: 1 }, "k"), isProblem("mismatch"));
  });
});

describe("reading", () => {
  test("another tenant sees nothing of it, and no execution is a problem of its own", async () => {
    await using rig = await Rig.make(MEMORY, { register: quick });
    const { id } = await rig.run("quick");
    const other = new TenantExecutions({
      tenant: "other",
      engine: rig.current.engine,
      sessions,
      limits: LIMITS,
    });
    const problems = [id, "execution_1", "../x", "a/b", "\ud800", "é:\0"].map((one) => other.get(one));
    for (const problem of problems) await assert.rejects(problem, isProblem("not-found"));
    await assert.rejects(other.cancel(id), isProblem("not-found"));
    assert.deepEqual((await other.list()).items, []);
  });

  test("what has ended reads the same from its entry as it did, and after a restart", async () => {
    const register = (intents: IntentRegistry): void =>
      intents.registerSaga(saga("s").step("one", { execute: () => ({ a: 1 }) }));
    await using rig = await Rig.make(SQLITE, { register });
    const { id } = await rig.submit("s", { in: 1 });
    const seen = await rig.executions.wait(id, { timeoutMs: 1000 });
    assert.equal(seen.state, "completed");
    await rig.fall();
    await rig.start({ register });
    assert.deepEqual(await rig.executions.get(id), seen);
    assert.equal(rig.current.engine.openCount, 0);
  });

  test("a list is in the order of creation, by filters, a page at a time", async () => {
    await using rig = await Rig.make(MEMORY, { register: quick });
    rig.intents.registerSaga(saga("waits").signal("go"));
    const ids: string[] = [];
    for (let index = 0; index < 12; index++) {
      const { id } = await rig.submit(index % 3 === 0 ? "waits" : "quick", index);
      ids.push(id);
      await rig.clock.advance(1);
    }
    for (const id of ids) await rig.clock.advance(Number(id === ids[0]));
    const listed = async (query: Parameters<typeof rig.executions.list>[0]): Promise<number[][]> => {
      const pages: number[][] = [];
      for (let after: string | undefined; ;) {
        const page = await rig.executions.list({ ...query, ...(after !== undefined && { after }) });
        pages.push(page.items.map(({ id }) => ids.indexOf(id)));
        if (page.cursor === undefined) return pages;
        after = page.cursor;
      }
    };
    const all = Array.from({ length: 12 }, (_, index) => index);
    assert.deepEqual(await listed({}), [all]);
    assert.deepEqual((await listed({ limit: 5 })).flat(), all);
    assert.deepEqual((await listed({ state: "running" })).flat(), [0, 3, 6, 9]);
    assert.deepEqual((await listed({ state: "completed", limit: 3 })).flat(), [1, 2, 4, 5, 7, 8, 10, 11]);
    assert.deepEqual((await listed({ type: "waits", limit: 2 })).flat(), [0, 3, 6, 9]);
    assert.deepEqual((await listed({ session: "session_9" })).flat(), []);
    for (const after of ["", "garbage", "execution_", `${ids[0]}/..`, "9".repeat(600), "\ud800"])
      await assert.rejects(rig.executions.list({ after }), isProblem("invalid", "after"), after);
    const [first] = (await rig.executions.list({ state: "running", limit: 1 })).items;
    assert.deepEqual(first, await rig.executions.get(ids[0] ?? ""));
  });
});

describe("what outlives a process", () => {
  test("a function that was running has failed, interrupted; one that had not begun runs", async () => {
    await using rig = await Rig.make(SQLITE);
    rig.intents.register("f", {}, () => new Promise(() => {}));
    const { id } = await rig.submit("f");
    await rig.until(id, "execution_started");
    await rig.fall();
    await rig.start({ run: false, register: quick });
    const { id: later } = await rig.submit("quick", 1);
    rig.current.engine.run();
    const done = await rig.settled(id);
    assert.deepEqual([done.state, done.error?.reason], ["failed", "interrupted"]);
    assert.equal((await rig.settled(later)).state, "completed");
  });

  test("a saga goes on where it was, and a call that was lost goes out again with its key", async () => {
    await using rig = await Rig.make(SQLITE);
    const keys: string[] = [];
    const register =
      (answer: () => unknown) =>
      (intents: IntentRegistry): void => {
        const first = { execute: ({ key }: { key: string }) => (keys.push(key), 1) };
        const second = { execute: ({ key }: { key: string }) => (keys.push(key), answer()) };
        intents.registerSaga(saga("s").step("one", first).step("two", second));
      };
    register(() => new Promise(() => {}))(rig.intents);
    const { id } = await rig.submit("s");
    await rig.until(id, "step_completed");
    await rig.fall();
    await rig.start({ register: register(() => 2) });
    assert.deepEqual((await rig.settled(id)).result, { one: 1, two: 2 });
    assert.deepEqual(keys, [`${id}/one/execute`, `${id}/two/execute`, `${id}/two/execute`]);
    assert.ok(traceOf(await rig.log(id)).includes("step_in_doubt two"));
  });

  test("what nobody knows parks, and goes on when somebody registers it", async () => {
    await using rig = await Rig.make(SQLITE, { register: quick });
    const one = saga("s")
      .sleep("night", "1h")
      .step("one", { execute: () => 1 });
    rig.intents.registerSaga(one);
    const { id } = await rig.submit("s");
    await rig.until(id, "timer_set");
    rig.intents.register("gone", {}, () => new Promise(() => {}));
    await rig.fall();
    await rig.start({ run: false });
    rig.intents.register("gone", {}, () => 3);
    const { id: held } = await rig.submit("gone");
    await rig.fall();
    // Another version of it is not it.
    await rig.start({
      register: (intents) => intents.registerSaga(saga("s", { version: "2" }).sleep("x", "1s")),
    });
    for (const parked of [id, held]) {
      await rig.until(parked, "saga_parked");
      const { state, error } = await rig.executions.get(parked);
      assert.equal(state, "parked");
      assert.match(error?.message ?? "", /nobody here/);
    }
    await assert.rejects(rig.executions.resolve(id, { action: "skip" }), isProblem("conflict"));
    await rig.fall();
    await rig.start();
    assert.equal((await rig.executions.get(id)).state, "parked");
    rig.intents.registerSaga(one);
    rig.intents.register("gone", {}, () => 3);
    await rig.until(held, "execution_completed");
    assert.equal((await rig.executions.get(held)).result, 3);
    await rig.until(id, "saga_resolved");
    const done = rig.executions.wait(id, { timeoutMs: 1e9 });
    await rig.clock.advance(3_600_000);
    assert.deepEqual((await done).result, { one: 1 });
  });

  test("versions of a saga live side by side", async () => {
    await using rig = await Rig.make(SQLITE);
    const version = (name: string) =>
      saga("s", { version: name })
        .sleep("night", "10s")
        .step("say", { execute: () => name });
    rig.intents.registerSaga(version("1"));
    const { id: old } = await rig.submit("s");
    await rig.until(old, "timer_set");
    await rig.fall();
    await rig.start({
      register: (intents) => ["1", "2"].forEach((name) => intents.registerSaga(version(name))),
    });
    const { id: young } = await rig.submit("s");
    assert.deepEqual((await rig.settled(old)).result, { say: "1" });
    assert.deepEqual((await rig.settled(young)).result, { say: "2" });
  });

  test("at a stop a call comes to its end, no other goes out, and the rest goes on later", async () => {
    await using rig = await Rig.make(SQLITE);
    const { promise, resolve } = Promise.withResolvers<number>();
    const calls: string[] = [];
    const register = (intents: IntentRegistry): void => {
      intents.registerSaga(
        saga("s")
          .step("one", { execute: () => (calls.push("one"), promise) })
          .step("two", { execute: () => (calls.push("two"), 2) }),
      );
      intents.register("late", {}, () => new Promise(() => {}));
    };
    register(rig.intents);
    const { id } = await rig.submit("s");
    const { id: late } = await rig.submit("late");
    await rig.until(id, "step_started");
    await rig.until(late, "execution_started");
    const cut = new AbortController();
    const waiting = rig.executions.wait(id, { timeoutMs: 1e9 });
    const stopped = rig.current.engine.stop({ signal: cut.signal });
    assert.equal((await waiting).state, "running");
    resolve(1);
    await rig.until(id, "step_completed");
    cut.abort();
    assert.deepEqual((await stopped).late, [late]);
    await assert.rejects(rig.executions.cancel(id), isProblem("conflict"));
    assert.deepEqual(calls, ["one"]);
    const { id: pending } = await rig.submit("s");
    await rig.fall();
    await rig.start({ register });
    assert.equal((await rig.settled(id)).state, "completed");
    assert.equal((await rig.settled(pending)).state, "completed");
    assert.deepEqual([...new Set(calls)], ["one", "two"]);
    assert.equal(calls.filter((call) => call === "one").length, 2);
  });

  test("when the store is lost nothing is acknowledged, and calls are told to end", async () => {
    let isLost = false;
    const failpoint = (label: string): void => {
      if (isLost && label === "store-write") throw new Error("disk full");
    };
    await using rig = await Rig.make(SQLITE, { failpoint, register: quick });
    let told = false;
    rig.intents.register("f", {}, ({ signal }) => {
      signal.addEventListener("abort", () => (told = true));
      return new Promise(() => {});
    });
    const { id } = await rig.submit("f");
    await rig.until(id, "execution_started");
    isLost = true;
    // The first is what an execution has decided, and finds the disk full itself.
    await assert.rejects(rig.executions.cancel(id), { name: "StoreError" });
    await assert.rejects(rig.submit("quick"), { name: "StoreError" });
    assert.ok(told);
    assert.match(rig.current.engine.lostTo?.message ?? "", /disk full/);
    isLost = false;
    await rig.fall();
    await rig.start({ register: quick });
    assert.deepEqual(traceOf(await rig.log(id)).slice(0, 2), ["intent_received", "execution_started"]);
  });
});

test("register refuses a name that is none, and a saga without a step", async () => {
  await using rig = await Rig.make(MEMORY);
  assert.throws(() => rig.intents.register("a b", {}, () => 1), UsageError);
  assert.throws(() => rig.intents.registerSaga(saga("empty")), UsageError);
  assert.equal(TENANT, "shop");
});
