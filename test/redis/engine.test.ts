// Executions over Redis, by the server's time: they leave the same trace as in SQLite (G9), go on where another replica left them, and
// stop when Redis is gone.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { systemClock } from "../../src/drivers/clock.ts";
import { openRedis } from "../../src/compose/open-redis.ts";
import { Engine } from "../../src/plane/engine.ts";
import { TenantExecutions } from "../../src/plane/executions.ts";
import { IntentRegistry } from "../../src/plane/intents.ts";
import { Retry, saga } from "../../src/plane/saga-builder.ts";
import type { Ownerships, Store } from "../../src/ports/store.ts";
import { LIMITS, SESSION, sessions, start, type Started, TENANT } from "../plane/engine-rig.ts";
import { RedisServer, sharedRedis } from "./server.ts";
import { storeConfig } from "./store-rig.ts";

const undo = (): void => {};

/** Each comes to its end by itself, within a blink. */
function register(intents: IntentRegistry): void {
  const step = (output: string) => ({ execute: () => output, compensate: undo });
  let tries = 0;
  intents.registerSaga(
    saga("runs")
      .step("one", step("a"))
      .parallel({ left: step("b"), right: step("c") })
      .sleep("wait", "10ms")
      .step("last", { execute: ({ outputs }) => JSON.stringify(outputs), pivot: true }),
  );
  intents.registerSaga(
    saga("fails")
      .step("one", step("a"))
      .step("two", {
        execute() {
          if (++tries < 3) throw new Retry("not yet");
          return "b";
        },
        compensate: undo,
        retry: { attempts: 3, backoff: "1ms..2ms" },
      })
      .step("three", {
        execute() {
          throw new Error("no");
        },
      }),
  );
  intents.registerSaga(
    saga("doubts")
      .step("one", step("a"))
      .step("two", {
        execute: () => new Promise(() => {}),
        compensate: undo,
        retry: { attempts: 1 },
        timeout: "20ms",
      }),
  );
  intents.registerSaga(
    saga("waits")
      .step("one", { execute: () => 1 })
      .signal("go", {}),
  );
  intents.register("function", {}, ({ input }) => Promise.resolve({ got: input }));
}

async function urlOf(driver: "sqlite" | "redis"): Promise<string> {
  if (driver === "sqlite") return "sqlite:haraka.db";
  return `${(await sharedRedis()).url}/0?namespace=${storeConfig({ url: "" }).namespace}`;
}

/** An engine over a store of the test's own. */
async function startOver(store: Store & Ownerships, registerAll: (intents: IntentRegistry) => void) {
  const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
  const intents = new IntentRegistry({ sha256, fetch, bodyBytesMax: 1 << 20 });
  registerAll(intents);
  const errors: unknown[] = [];
  const onError = (message: string): void => void errors.push(message);
  const engine = new Engine({ store, intents, clock: systemClock(), failpoint() {}, onError });
  await engine.recover();
  engine.run();
  const executions = new TenantExecutions({ tenant: TENANT, engine, sessions, limits: LIMITS });
  return { engine, intents, executions, store, errors };
}

async function run({ executions }: Started, type: string) {
  const { id } = await executions.submit({ type, session: SESSION, payload: { a: 1 } });
  return executions.wait(id, { timeoutMs: 10_000 });
}

/** What its log says happened, whenever it did. */
async function traceOf({ store }: Started, execution: string): Promise<(string | undefined)[][]> {
  const records = await store.log(TENANT, { after: 0, limit: 1_000, execution });
  return records.map(({ type, step, payload }) => [
    type,
    step,
    JSON.stringify(payload, (key, value: unknown) => (key.endsWith("AtMs") ? "TIME" : value)),
  ]);
}

async function within<T>(
  driver: "sqlite" | "redis",
  use: (started: Started, again: () => Promise<Started>) => Promise<T>,
): Promise<T> {
  const cwd = mkdtempSync(join(tmpdir(), "haraka-engine-"));
  const url = await urlOf(driver);
  const open = () => start({ url, cwd, clock: systemClock(), register });
  const started = [await open()];
  const again = async (): Promise<Started> => {
    const next = await open();
    started.push(next);
    return next;
  };
  try {
    return await use(started[0] as Started, again);
  } finally {
    for (const { engine, store } of started) {
      await engine.stop({ signal: AbortSignal.abort() }).catch(() => {});
      await store.close();
    }
    rmSync(cwd, { recursive: true });
  }
}

describe("the same trace on sqlite and redis", () => {
  for (const [type, state] of [
    ["runs", "completed"],
    ["fails", "compensated"],
    ["function", "completed"],
  ] as const) {
    test(type, async () => {
      const traceOn = (driver: "sqlite" | "redis") =>
        within(driver, async (started) => {
          const execution = await run(started, type);
          assert.equal(execution.state, state, JSON.stringify(execution.error));
          return traceOf(started, execution.id);
        });
      assert.deepEqual(await traceOn("redis"), await traceOn("sqlite"));
    });
  }
});

test("a step in doubt is undone, too", async () => {
  await within("redis", async (started) => {
    const execution = await run(started, "doubts");
    assert.equal(execution.state, "compensated", JSON.stringify(execution.error));
    const undone = (await traceOf(started, execution.id)).filter(
      ([type]) => type === "compensation_completed",
    );
    assert.deepEqual(
      undone.map(([, step]) => step),
      ["two", "one"],
    );
  });
});

test("what one replica hands over when it stops, the next goes on with", async () => {
  await within("redis", async (first, again) => {
    const { id } = await first.executions.submit({ type: "waits", session: SESSION, payload: {} });
    const isWaiting = async () =>
      (await traceOf(first, id)).some(([type, step]) => type === "step_started" && step === "go");
    while (!(await isWaiting()));
    await first.engine.stop({ signal: AbortSignal.timeout(5_000) });
    const second = await again();
    // It asks by itself for what is nobody's.
    while (!second.engine.find(TENANT, id)) await second.store.get(TENANT, ["any"]);
    await second.executions.signal(id, { name: "go" });
    assert.equal((await second.executions.wait(id, { timeoutMs: 10_000 })).state, "completed");
    assert.deepEqual(
      (await traceOf(second, id)).filter(([type]) => type === "step_started").map(([, step]) => step),
      ["one", "go"],
    );
  });
});

test(
  "a saga goes on after Redis was gone, each step done once or with the same key",
  { timeout: 30_000 },
  async () => {
    await using server = await RedisServer.start();
    const { namespace } = storeConfig({ url: "" });
    let [down, up] = [(): void => {}, (): void => {}];
    const store = await openRedis(storeConfig({ url: server.url }, { namespace, leaseMs: 1_000 }), {
      clock: systemClock(),
      onTrouble: (problem) => (problem ? down() : up()),
    });
    const keys: string[] = [];
    const isDown = new Promise<void>((resolve) => (down = resolve));
    const isUp = new Promise<void>((resolve) => (up = resolve));
    // One of them ends when there is nobody to tell.
    const work = (key: string) => (keys.push(key) === 20 ? isDown : undefined);
    const started = await startOver(store, (intents) => {
      let all = saga("long").step("first", { execute: () => 0 });
      for (let index = 0; index < 200; index++)
        all = all.step(`step${index}`, { execute: ({ key }) => work(key) }) as typeof all;
      intents.registerSaga(all);
    });
    const { id } = await started.executions.submit({ type: "long", session: SESSION, payload: {} });
    while (keys.length < 20) await store.commit(TENANT, {});
    await server.stop("SIGKILL");
    await isDown;
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(keys.length, 20, "a step has begun that could not be noted");
    await server.start();
    await isUp;
    const { state } = await started.executions.wait(id, { timeoutMs: 20_000 });
    assert.equal(state, "completed");
    assert.equal(new Set(keys).size, 200);
    const starts = (await traceOf(started, id)).filter(([type]) => type === "step_completed");
    assert.equal(starts.length, 201);
    await started.engine.stop({ signal: AbortSignal.abort() });
    await store.close();
  },
);
