// Executions over a real store, in memory and in SQLite: what runs, in which order it stands in the log, and what a caller gets.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { z } from "zod";
import { Retry, saga } from "../../src/plane/saga-builder.ts";
import { isProblem, Rig, SESSION, traceOf } from "./engine-rig.ts";
import { waiting } from "./engine-waiting.ts";

const URLS = ["memory:", "sqlite:haraka.db"];

/** What each test has left in the log of each store, by name: the same on both (G9). */
const traces = new Map<string, string[]>();

for (const url of URLS) {
  describe(url, () => {
    happy(url);
    failing(url);
    waiting(url, keepTrace);
  });
}

after(() => {
  for (const [name, [first, ...others]] of traces) {
    assert.equal(others.length, URLS.length - 1, name);
    for (const other of others) assert.equal(other, first, name);
  }
});

async function keepTrace(name: string, rig: Rig, id: string): Promise<string[]> {
  const records = await rig.log(id);
  const facts = records.map(({ type, step, payload }) => [type, step, payload]);
  const text = JSON.stringify(facts, (key, value: unknown) => (key.endsWith("AtMs") ? "TIME" : value));
  traces.set(name, [...(traces.get(name) ?? []), text]);
  return traceOf(records);
}

function happy(url: string): void {
  test("a saga runs to its end, each step durable before its call", async () => {
    const seen: string[] = [];
    await using rig = await Rig.make(url);
    const place = saga("order.place", { input: z.object({ sku: z.string() }) })
      .step("reserve", {
        async execute({ input, key, execution }) {
          seen.push(...traceOf(await rig.log(execution)).slice(-1), input.sku, key);
          return { reservation: 7 };
        },
        compensate() {},
      })
      .step("charge", { execute: ({ outputs }) => ({ of: outputs.reserve.reservation }), pivot: true });
    rig.intents.registerSaga(place);
    const { id, state } = await rig.submit("order.place", { sku: "a" });
    assert.equal(state, "pending");
    const done = await rig.settled(id);
    assert.equal(done.state, "completed");
    assert.deepEqual(done.result, { reserve: { reservation: 7 }, charge: { of: 7 } });
    assert.deepEqual(seen, ["step_started reserve", "a", `${id}/reserve/execute`]);
    assert.deepEqual(await keepTrace("happy", rig, id), [
      "intent_received",
      "saga_started",
      "step_started reserve",
      "step_completed reserve",
      "step_started charge",
      "step_completed charge",
      "saga_completed",
    ]);
    const records = await rig.log(id);
    assert.ok(records.every(({ session, execution }) => session === SESSION && execution === id));
    assert.ok(records.slice(1).every((record) => record.saga === done.saga?.id));
  });

  test("a function runs to its end", async () => {
    await using rig = await Rig.make(url);
    rig.intents.register("report.build", { input: z.object({ n: z.number() }) }, ({ input, session }) => ({
      twice: input.n * 2,
      session,
    }));
    const done = await rig.run("report.build", { n: 4 });
    assert.equal(done.state, "completed");
    assert.deepEqual(done.result, { twice: 8, session: SESSION });
    assert.equal(done.saga, undefined);
    assert.deepEqual(await keepTrace("function", rig, done.id), [
      "intent_received",
      "execution_started",
      "execution_completed",
    ]);
  });

  test("a function that throws has failed with what it threw", async () => {
    await using rig = await Rig.make(url);
    rig.intents.register("f", {}, () => Promise.reject(new Error("no paper")));
    const done = await rig.run("f");
    assert.deepEqual([done.state, done.error?.message], ["failed", "no paper"]);
  });

  test("steps that run at the same time do, and see what came before", async () => {
    await using rig = await Rig.make(url);
    const under = new Set<string>();
    const most: number[] = [];
    const execute = async ({ key }: { key: string }): Promise<number> => {
      under.add(key);
      await new Promise((resolve) => setTimeout(resolve));
      most.push(under.size);
      under.delete(key);
      return 1;
    };
    rig.intents.registerSaga(saga("p").parallel({ a: { execute }, b: { execute } }));
    const done = await rig.run("p");
    assert.deepEqual([done.state, Math.max(...most)], ["completed", 2]);
    await keepTrace("parallel", rig, done.id);
  });

  test("many at once all come to their end", async () => {
    await using rig = await Rig.make(url);
    rig.intents.registerSaga(
      saga("m")
        .step("one", { execute: ({ input }) => input })
        .step("two", { execute: () => 2 }),
    );
    const submitted = await Promise.all(Array.from({ length: 300 }, (_, index) => rig.submit("m", index)));
    const done = await Promise.all(submitted.map(({ id }) => rig.settled(id)));
    assert.deepEqual(
      done.map(({ result }) => (result as { one: number }).one),
      Array.from({ length: 300 }, (_, index) => index),
    );
    assert.equal(rig.current.engine.openCount, 0);
  });
}

function failing(url: string): void {
  test("a step that is not done is tried again, and one that failed undoes what was done", async () => {
    await using rig = await Rig.make(url);
    const undone: unknown[] = [];
    let tries = 0;
    rig.intents.registerSaga(
      saga("s")
        .step("one", { execute: () => 1, compensate: ({ output, key }) => void undone.push(output, key) })
        .step("two", {
          execute() {
            if (++tries < 3) throw new Retry("not yet");
            throw new Error("no");
          },
        }),
    );
    const done = await rig.run("s");
    assert.equal(done.state, "compensated");
    assert.deepEqual(undone, [1, `${done.id}/one/compensate`]);
    assert.equal(tries, 3);
    assert.deepEqual(
      done.saga?.steps.map(({ state, attempts }) => [state, attempts]),
      [
        ["compensated", 1],
        ["failed", 3],
      ],
    );
    assert.equal(done.error?.message, '"two": no');
    await keepTrace("retry", rig, done.id);
  });

  test("a step in doubt is called again with the same key, and undone when attempts are out", async () => {
    await using rig = await Rig.make(url);
    const keys: string[] = [];
    const undone: unknown[] = [];
    rig.intents.registerSaga(
      saga("d").step("slow", {
        execute({ key }) {
          keys.push(key);
          return new Promise(() => {});
        },
        compensate: ({ output }) => void undone.push(output),
        timeout: "1s",
        retry: { attempts: 3 },
      }),
    );
    const done = await rig.run("d");
    assert.equal(done.state, "compensated");
    assert.deepEqual(
      keys,
      Array.from({ length: 3 }, () => `${done.id}/slow/execute`),
    );
    assert.deepEqual(undone, [undefined]);
    await keepTrace("in doubt", rig, done.id);
  });

  for (const [isDone, state] of [
    [true, "completed"],
    [false, "compensated"],
  ] as const) {
    test(`a step in doubt is asked about: ${isDone ? "done" : "not done"}`, async () => {
      await using rig = await Rig.make(url);
      rig.intents.registerSaga(
        saga("v").step("slow", {
          execute: (): Promise<number> => new Promise(() => {}),
          verify: () => (isDone ? 5 : undefined),
          timeout: "1s",
          inDoubt: "verify",
          retry: { attempts: 2 },
        }),
      );
      const done = await rig.run("v");
      assert.equal(done.state, state);
      assert.deepEqual(done.result, isDone ? { slow: 5 } : undefined);
      await keepTrace(`verify ${isDone}`, rig, done.id);
    });
  }

  test("a step in doubt parks by policy, and each word of an operator leads on", async () => {
    await using rig = await Rig.make(url);
    const calls: string[] = [];
    rig.intents.registerSaga(
      saga("m")
        .step("first", { execute: () => 1, compensate: () => void calls.push("undo first") })
        .step("slow", {
          execute({ attempt }): Promise<number> | number {
            calls.push(`slow ${attempt}`);
            return attempt === 1 ? new Promise(() => {}) : 2;
          },
          compensate: ({ output }) => void calls.push(`undo slow ${String(output)}`),
          timeout: "1s",
          inDoubt: "manual",
        }),
    );
    const parked = async (): Promise<string> => {
      calls.length = 0;
      const { id, state, error } = await rig.run("m");
      assert.deepEqual([state, error?.reason], ["parked", "parked"]);
      return id;
    };
    const outcome = async (id: string) => [(await rig.settled(id)).state, ...calls.slice(1)];
    let id = await parked();
    await assert.rejects(
      rig.executions.resolve(id, { action: "retry", step: "first" }),
      isProblem("conflict"),
    );
    await rig.executions.retry(id);
    assert.deepEqual(await outcome(id), ["completed", "slow 2"]);
    await keepTrace("manual retry", rig, id);
    id = await parked();
    await rig.executions.resolve(id, { action: "done", step: "slow", output: { by: "hand" } });
    assert.deepEqual(await outcome(id), ["completed"]);
    assert.deepEqual((await rig.executions.get(id)).result, { first: 1, slow: { by: "hand" } });
    id = await parked();
    await rig.executions.resolve(id, { action: "skip" });
    assert.deepEqual(await outcome(id), ["completed"]);
    id = await parked();
    await rig.executions.resolve(id, { action: "abort" });
    assert.deepEqual(await outcome(id), ["compensated", "undo slow undefined", "undo first"]);
    await assert.rejects(rig.executions.resolve(id, { action: "retry" }), isProblem("conflict"));
    await keepTrace("manual abort", rig, id);
  });

  test("past the pivot nothing is undone: it parks, and abort ends it as failed", async () => {
    await using rig = await Rig.make(url);
    rig.intents.registerSaga(
      saga("p")
        .step("first", { execute: () => 1, compensate: () => assert.fail("undone past the pivot") })
        .step("pay", { execute: () => 2, pivot: true })
        .step("ship", { execute: () => Promise.reject(new Error("no truck")) }),
    );
    const { id, state } = await rig.run("p");
    assert.equal(state, "parked");
    await assert.rejects(rig.executions.cancel(id), isProblem("conflict"));
    await rig.executions.resolve(id, { action: "abort" });
    assert.equal((await rig.settled(id)).state, "failed");
    await keepTrace("pivot", rig, id);
  });

  test("a failing branch aborts its siblings, and all that is done or in doubt is undone", async () => {
    await using rig = await Rig.make(url);
    const undone = new Set<string>();
    let aborted = false;
    rig.intents.registerSaga(
      saga("b").parallel({
        bad: { execute: () => Promise.reject(new Error("no")) },
        good: { execute: () => 1, compensate: () => undone.add("good") },
        slow: {
          execute: ({ signal }) =>
            new Promise((_, reject) => {
              signal.addEventListener("abort", () => {
                aborted = true;
                reject(signal.reason as Error);
              });
            }),
          compensate: () => undone.add("slow"),
        },
      }),
    );
    const done = await rig.run("b");
    assert.deepEqual([done.state, aborted, [...undone].toSorted()], ["compensated", true, ["good", "slow"]]);
  });

  test("a compensation that keeps failing parks, and is never dropped", async () => {
    await using rig = await Rig.make(url);
    let isBroken = true;
    rig.intents.registerSaga(
      saga("c")
        .step("one", {
          execute: () => 1,
          compensate() {
            if (isBroken) throw new Error("no way back");
          },
          retry: { attempts: 2 },
        })
        .step("two", { execute: () => Promise.reject(new Error("no")) }),
    );
    const { id, state } = await rig.run("c");
    assert.equal(state, "parked");
    isBroken = false;
    await rig.executions.retry(id);
    assert.equal((await rig.settled(id)).state, "compensated");
  });
}
