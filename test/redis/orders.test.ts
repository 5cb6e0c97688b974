// Orders from any replica over real Redis: they reach whoever owns the execution, are refused in the owner's words, survive the owner, and
// are one each however many replicas are asked at once.
import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../../src/drivers/clock.ts";
import type { IntentRegistry } from "../../src/plane/intents.ts";
import { saga } from "../../src/plane/saga-builder.ts";
import type { LogRecord } from "../../src/ports/store.ts";
import { isProblem, SESSION, start, type Started, TENANT } from "../plane/engine-rig.ts";
import { sharedRedis } from "./server.ts";
import { storeConfig } from "./store-rig.ts";

const SIGNALS = Array.from({ length: 12 }, (_, index) => `signal${index}`);

function register(intents: IntentRegistry): void {
  intents.registerSaga(
    saga("waits")
      .step("one", { execute: () => 1, compensate() {} })
      .signal("go"),
  );
  let many = saga("many");
  for (const name of SIGNALS) many = many.signal(name) as typeof many;
  intents.registerSaga(many);
}

class Replicas implements AsyncDisposable {
  readonly started: Started[] = [];
  readonly #url: string;

  private constructor(url: string) {
    this.#url = url;
  }

  static async make(): Promise<Replicas> {
    const { namespace } = storeConfig({ url: "" });
    return new Replicas(`${(await sharedRedis()).url}/0?namespace=${namespace}`);
  }

  async start(options: Partial<Parameters<typeof start>[0]> = {}): Promise<Started> {
    const started = await start({ url: this.#url, cwd: "/", clock: systemClock(), register, ...options });
    this.started.push(started);
    return started;
  }

  async submitted({ executions }: Started, type: string): Promise<string> {
    const { id } = await executions.submit({ type, session: SESSION, payload: {} });
    await this.until(id, ({ type: found }) => found === "step_started");
    return id;
  }

  async log(execution: string): Promise<readonly LogRecord[]> {
    return (this.started[0] as Started).store.log(TENANT, { after: 0, limit: 1_000, execution });
  }

  async until(execution: string, isIt: (record: LogRecord) => boolean): Promise<void> {
    while (!(await this.log(execution)).some(isIt));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { engine, store } of this.started) {
      await engine.stop({ signal: AbortSignal.abort() }).catch(() => {});
      await store.close();
    }
  }
}

test("an order reaches the owner from another replica, done or refused in its words", async () => {
  await using replicas = await Replicas.make();
  const a = await replicas.start();
  const b = await replicas.start();
  const id = await replicas.submitted(a, "waits");
  const refused = (order: Promise<unknown>) =>
    order.then(
      () => assert.fail("it was not refused"),
      ({ message }: Error) => message,
    );
  assert.equal(
    await refused(b.executions.signal(id, { name: "stop" })),
    await refused(a.executions.signal(id, { name: "stop" })),
  );
  assert.equal(await refused(b.executions.retry(id)), await refused(a.executions.retry(id)));
  await b.executions.signal(id, { name: "go", payload: { by: "b" } });
  const { state, result } = await b.executions.wait(id, { timeoutMs: 10_000 });
  assert.deepEqual({ state, result }, { state: "completed", result: { one: 1, go: { by: "b" } } });
  await assert.rejects(b.executions.cancel(id), isProblem("conflict"));
  assert.deepEqual([...a.errors, ...b.errors], []);
});

test(
  "an owner that is gone before it comes to an order: who takes over carries it out",
  { timeout: 60_000 },
  async () => {
    await using replicas = await Replicas.make();
    let isGone = false;
    const a = await replicas.start({
      wrap: (store) => ({
        ...bound(store),
        scan: (...query) => (isGone ? new Promise(() => {}) : store.scan(...query)),
        renew: (claims) => (isGone ? new Promise(() => {}) : store.renew(claims)),
        claim: (options) => (isGone ? new Promise(() => {}) : store.claim(options)),
      }),
    });
    const b = await replicas.start();
    const c = await replicas.start({ register() {} });
    const id = await replicas.submitted(a, "waits");
    isGone = true;
    await c.executions.cancel(id);
    assert.equal((await b.executions.wait(id, { timeoutMs: 10_000 })).state, "cancelled");
    assert.equal((await replicas.log(id)).filter(({ type }) => type === "cancel_requested").length, 1);
  },
);

test(
  "orders at all replicas at once, while the owner hands over: each is done, and once",
  { timeout: 60_000 },
  async () => {
    await using replicas = await Replicas.make();
    const a = await replicas.start();
    const b = await replicas.start();
    const c = await replicas.start();
    const id = await replicas.submitted(a, "many");
    const all = SIGNALS.map((name, index) =>
      ([b, c] as const)[index % 2 === 0 ? 0 : 1].executions.signal(id, { name }),
    );
    const stopped = a.engine.stop({ signal: AbortSignal.timeout(10_000) });
    await Promise.all(all);
    await stopped;
    assert.equal((await c.executions.wait(id, { timeoutMs: 10_000 })).state, "completed");
    const received = (await replicas.log(id)).filter(({ type }) => type === "signal_received");
    assert.equal(received.length, SIGNALS.length);
  },
);

test(
  "a replica that nobody submits to gets its share, and hands it over when it stops",
  { timeout: 60_000 },
  async () => {
    await using replicas = await Replicas.make();
    const a = await replicas.start();
    const ids: string[] = [];
    for (let count = 0; count < 20; count++) ids.push(await replicas.submitted(a, "waits"));
    const b = await replicas.start();
    while (b.engine.openCount < 8) await b.store.get(TENANT, ["any"]);
    for (const id of ids.slice(0, 10)) await a.executions.signal(id, { name: "go" });
    const stopped = b.engine.stop({ signal: AbortSignal.timeout(10_000) });
    for (const id of ids.slice(10)) await a.executions.signal(id, { name: "go" });
    await stopped;
    for (const id of ids)
      assert.equal((await a.executions.wait(id, { timeoutMs: 10_000 })).state, "completed");
    assert.deepEqual([...a.errors, ...b.errors], []);
  },
);

/** Its methods as they are: some of them stand in its class. */
function bound(store: Started["store"]): Started["store"] {
  const { leaseMs } = store;
  return {
    ...(leaseMs !== undefined && { leaseMs }),
    commit: (...args) => store.commit(...args),
    get: (...args) => store.get(...args),
    scan: (...args) => store.scan(...args),
    log: (...args) => store.log(...args),
    watch: (...args) => store.watch(...args),
    tenants: () => store.tenants(),
    expired: (limit) => store.expired(limit),
    expiresInMs: () => store.expiresInMs(),
    trim: (...args) => store.trim(...args),
    claim: (options) => store.claim(options),
    renew: (claims) => store.renew(claims),
    release: (claims) => store.release(claims),
    close: () => store.close(),
  };
}
