// The plane in code: services find it in `this.runtime`, what it keeps is there after the next start, and a test turns its clock.
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { edge } from "../../src/edge.ts";
import { Orchestrator, saga, Service, StoreError, UnreachableError, UsageError, z } from "../../src/mod.ts";
import { testRuntime } from "../../src/testing.ts";

const log = { debug() {}, info() {}, warn() {}, error() {} };

/** A folder of its own, and an orchestrator over the database in it. */
function shop(): { orchestrator(): Orchestrator; store: string; path: string } & Disposable {
  const folder = mkdtempSync(join(tmpdir(), "haraka-library-plane-"));
  const path = join(folder, "data/app.db");
  const store = `sqlite:${path}`;
  return {
    path,
    store,
    orchestrator: () => new Orchestrator({ log, exit: false, store }),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  };
}

/** Sells, with a rest between taking the money and sending the parcel. */
class Shop extends Service<string[]> {
  override name = "shop";

  constructor(story: string[] = []) {
    super(story);
  }

  override startup(): void {
    const told = (what: string) => () => void this.settings.push(what);
    this.runtime.sagas.register(
      saga("order.place", { input: z.object({ sku: z.string() }) })
        .step("reserve", { execute: told("reserve"), compensate: told("release") })
        .sleep("cooling", "10s")
        .step("charge", { execute: told("charge"), pivot: true }),
    );
    this.runtime.intents.register("greet", { input: z.string() }, ({ input }) => `hello ${input}`);
  }

  async sell(): Promise<string> {
    const session = await this.runtime.sessions.create({ user: "ann" });
    const intent = { type: "order.place", session: session.id, payload: { sku: "lamp" } };
    return (await this.runtime.intents.submit(intent)).id;
  }

  /** The types of the log. */
  async logged(): Promise<string[]> {
    return (await this.runtime.wal.read({ limit: 100 })).items.map(({ type }) => type);
  }

  /** Resolves when the log has it. */
  async until(type: string): Promise<void> {
    for await (const record of this.runtime.wal.tail({ signal: this.runtime.signal }))
      if (record.type === type) return;
  }
}

describe("a plane in code", () => {
  test("gives services sessions, state, the log, intents and sagas, and all of it survives", async () => {
    using place = shop();
    const before = new Shop();
    const first = place.orchestrator().use(before);
    await first.run();
    const session = await before.runtime.sessions.create({ user: "ann", context: { cart: 1 } });
    await before.runtime.state.put("stock", "lamp", { value: 3 });
    await before.runtime.intents.submit({ type: "greet", session: session.id, payload: "ann" });
    await before.until("execution_completed");
    await first.shutdown();
    assert.ok(!existsSync(`${place.path}.holder`), "the database is still held");

    const after = new Shop();
    const second = place.orchestrator().use(after);
    await second.run();
    assert.deepEqual((await after.runtime.sessions.get(session.id)).context, { cart: 1 });
    assert.equal((await after.runtime.state.get("stock", "lamp"))?.value, 3);
    assert.deepEqual(await after.logged(), [
      "session_created",
      "state_written",
      "intent_received",
      "execution_started",
      "execution_completed",
    ]);
    await second.shutdown();
  });

  test("hands executions over: what a shutdown cuts off goes on after the next start", async () => {
    using place = shop();
    const [story, before] = [[] as string[], new Shop()];
    const first = place.orchestrator().use(before);
    await first.run();
    const sold = await before.sell();
    await before.until("timer_set");
    await first.shutdown();
    assert.deepEqual(before.settings, ["reserve"]);

    const after = new Shop(story);
    const second = place.orchestrator().use(after);
    await second.run();
    const { items } = await after.runtime.wal.read({ execution: sold, limit: 100 });
    assert.equal(items.filter(({ type }) => type === "timer_set").length, 1);
    assert.ok(!items.some(({ type }) => type === "execution_failed" || type === "saga_parked"));
    await second.shutdown();
    assert.deepEqual(story, []);
  });

  test("sees every service through its own tenant", async () => {
    const [ours, theirs] = [new Shop(), new Shop()];
    theirs.name = "other";
    const orch = new Orchestrator({ log, exit: false, store: "memory" });
    orch.use(ours).use(theirs, { tenant: "acme" });
    await orch.run();
    await ours.runtime.state.put("n", "k", { value: 1 });
    assert.equal(await theirs.runtime.state.get("n", "k"), undefined);
    assert.equal((await theirs.runtime.sessions.create({ user: "ann" })).tenant, "acme");
    await orch.shutdown();
  });

  test("is there for plane alone, in the state folder, and for store as an object", async () => {
    using place = shop();
    const before = process.env["HARAKA_DATA"];
    process.env["HARAKA_DATA"] = join(place.path, "..");
    try {
      for (const options of [{ plane: {} }, { store: { driver: "sqlite", path: "own.db" } }] as const) {
        const orch = new Orchestrator({ log, exit: false, ...options }).use(new Shop());
        await orch.run();
        await orch.shutdown();
      }
    } finally {
      if (before === undefined) delete process.env["HARAKA_DATA"];
      else process.env["HARAKA_DATA"] = before;
    }
    for (const name of ["haraka.db", "own.db"]) assert.ok(existsSync(join(place.path, "..", name)), name);
  });

  test("its parts are in health, start first and stop last", async () => {
    const story: string[] = [];
    const orch = new Orchestrator({ log, exit: false, plane: {}, store: "memory" }).use(new Shop());
    orch.on((event) => {
      if (event.type !== "service-state-changed") return;
      if (event.to === "ready" || event.to === "stopped") story.push(`${event.service} ${event.to}`);
    });
    await orch.run();
    const parts = ["store", "state_surface", "wal", "saga_coordinator", "registry"];
    assert.deepEqual(Object.keys(orch.health.snapshot().components), [...parts, "shop"]);
    await orch.shutdown();
    assert.deepEqual(
      [story.indexOf("shop ready"), story.indexOf("shop stopped"), story.at(-1)],
      [parts.length, parts.length + 1, "store stopped"],
    );
  });

  test("that nobody asked for is named with what to add", async () => {
    const orch = new Orchestrator({ log, exit: false });
    const alone = new Shop();
    alone.startup = () => {};
    await orch.use(alone).run();
    for (const part of ["sessions", "state", "wal", "intents", "sagas"] as const) {
      assert.throws(() => alone.runtime[part], new UsageError(`cannot use ${part}: no plane; add plane: {}`));
    }
    assert.throws(
      () => alone.runtime.registry,
      new UsageError("cannot use registry: no registry; add plane: {}, or discovery: {} in a config"),
    );
    await orch.shutdown();
  });

  test("whose store somebody else holds rejects run, and lets go of nothing of theirs", async () => {
    using place = shop();
    const [holder, late] = [place.orchestrator(), place.orchestrator()];
    await holder.use(new Shop()).run();
    const says = new RegExp(`cannot open the database .*app\\.db: pid ${process.pid} on host .* holds it`);
    await assert.rejects(late.use(new Shop()).run(), (error) => {
      assert.ok(error instanceof StoreError);
      assert.match(error.message, says);
      return true;
    });
    await assert.rejects(late.run(), UsageError);
    assert.ok(existsSync(`${place.path}.holder`));
    await holder.shutdown();
  });

  test("lets its store go when the graph is impossible, and when shutdown comes first", async () => {
    using place = shop();
    await assert.rejects(
      place
        .orchestrator()
        .use(new Shop(), { dependencies: ["none"] })
        .run(),
      UsageError,
    );
    const stopped = place.orchestrator().use(new Shop());
    const running = assert.rejects(
      stopped.run(),
      /^UsageError: cannot run: the runtime is (stopping|destroyed)$/,
    );
    await stopped.shutdown();
    await running;
    const next = place.orchestrator().use(new Shop());
    await next.run();
    await next.shutdown();
  });

  test("is run once: neither run nor use may come while its store opens", async () => {
    using place = shop();
    const orch = place.orchestrator();
    const running = orch.run();
    await assert.rejects(orch.run(), new UsageError("cannot run: the runtime is starting"));
    assert.throws(() => orch.use(new Shop()), new UsageError("cannot use 'shop': the runtime is starting"));
    await running;
    await orch.shutdown();
  });
});

describe("testRuntime with a plane", () => {
  test("turns durable sleeps with its clock, and never early", async () => {
    const service = new Shop();
    await using runtime = await testRuntime([service], { plane: {} });
    const id = await service.sell();
    await runtime.clock.advance(9_999);
    assert.deepEqual(service.settings, ["reserve"]);
    await runtime.clock.advance(1);
    assert.deepEqual(service.settings, ["reserve", "charge"]);
    const log = await service.runtime.wal.read({ execution: id, limit: 100 });
    assert.equal(log.items.at(-1)?.type, "saga_completed");
  });

  test("lets sessions expire with its clock", async () => {
    const service = new Shop();
    await using runtime = await testRuntime([service], { plane: { sessions: { idle: "1m" } } });
    const { id } = await service.runtime.sessions.create({ user: "ann" });
    await runtime.clock.advance(59_999);
    assert.equal((await service.runtime.sessions.get(id)).state, "active");
    await runtime.clock.advance(1);
    await assert.rejects(service.runtime.sessions.get(id), /cannot find the session/);
    await runtime.clock.advance(1_000);
    assert.ok((await service.logged()).includes("session_expired"));
  });

  test("turns hours at once: nothing looks after a store that cannot be lost", async () => {
    const service = new Shop();
    let turns = 0;
    await using runtime = await testRuntime([service], { plane: { retention: "forever" } });
    const { after } = runtime.clock;
    runtime.clock.after = (delayMs, run) => {
      turns++;
      return after(delayMs, run);
    };
    await runtime.clock.advance(3_600_000);
    assert.equal(turns, 0);
  });

  test("finds those that have a port, from their start to their end", async () => {
    const [stock, own] = [new Service(), new Shop()];
    stock.name = "stock";
    await using runtime = await testRuntime([[stock, { port: 7001 }], own], { plane: {} });
    const { registry } = own.runtime;
    const { address, port } = await registry.resolve("stock");
    assert.deepEqual([address, port], ["127.0.0.1", 7001]);
    // It answers nowhere.
    assert.deepEqual(await registry.list("shop"), []);
    await assert.rejects(own.runtime.fetch("svc://shop/"), UnreachableError);
    const seen: string[] = [];
    const watching = (async () => {
      for await (const [entry] of registry.watch({ signal: AbortSignal.timeout(10_000) })) {
        seen.push(entry?.state ?? "gone");
        if (!entry) return;
      }
    })();
    await registry.list();
    await runtime.orchestrator.shutdown();
    await watching;
    assert.deepEqual(seen, ["ready", "draining", "gone"]);
  });

  test("has no plane unless asked", async () => {
    const service = new Shop();
    service.startup = () => {};
    await using runtime = await testRuntime([service]);
    assert.equal(runtime.orchestrator.state, "started");
    assert.throws(() => service.runtime.state, /add plane: \{\}/);
  });
});

describe("edge with a plane", () => {
  const token = "t".repeat(32);
  const handler = () =>
    edge({
      name: "market",
      services: [new Shop()],
      store: "memory",
      plane: { auth: { tokens: [{ token, tenant: "acme" }] } },
      log,
    });
  const call = (path: string, init: RequestInit = {}) =>
    new Request(`http://market${path}`, {
      ...init,
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    });

  test("serves it at /api/v1 to whom its auth lets in", async () => {
    const { fetch } = handler();
    assert.equal((await fetch(new Request("http://market/api/v1/sessions"))).status, 401);
    const created = await fetch(call("/api/v1/sessions", { method: "POST", body: '{"user":"ann"}' }));
    const session = (await created.json()) as { id: string; tenant: string };
    assert.deepEqual([created.status, session.tenant], [201, "acme"]);
    const body = JSON.stringify({ type: "greet", session: session.id, payload: "ann" });
    const { id } = (await (await fetch(call("/api/v1/intents", { method: "POST", body }))).json()) as {
      id: string;
    };
    const done = await fetch(call(`/api/v1/executions/${id}?wait=10s`));
    assert.equal(((await done.json()) as { result: string }).result, "hello ann");
    assert.equal((await fetch(new Request("http://market/openapi.json"))).status, 200);
  });

  test("without auth serves nobody, since nobody says who asks", async () => {
    const { fetch } = edge({ name: "market", services: [], store: "memory", log });
    const answer = await fetch(
      new Request("http://localhost/api/v1/sessions", { headers: { host: "localhost" } }),
    );
    assert.equal(answer.status, 401);
    assert.match(await answer.text(), /plane\.auth is not set/);
  });

  test("needs its store named, and takes none but memory", () => {
    for (const options of [{ plane: {} }, { store: "sqlite:a.db" }] as const) {
      assert.throws(
        () => edge({ name: "market", services: [], log, ...(options as object) }),
        new UsageError(
          'cannot make an edge handler: there are no files and no lasting connections here, so a plane needs store: "memory"',
        ),
      );
    }
  });
});
