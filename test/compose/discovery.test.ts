// The registry's place in the end of a runtime, with a real supervisor and gate and a store that answers when the test says so: the
// others know before the drain begins, and entries go when nothing is in flight. And where others are told to come.
import assert from "node:assert/strict";
import { test } from "node:test";
import { advertisedAddress } from "../../src/compose/advertised.ts";
import { openDiscovery } from "../../src/compose/discovery.ts";
import { openStoreAt } from "../../src/compose/store-at.ts";
import { testClock } from "../../src/compose/testing.ts";
import { stageMs } from "../../src/core/budget.ts";
import { createGate } from "../../src/http/gate.ts";
import type { PlaneSlices } from "../../src/ports/service-plane.ts";
import type { Commit, Store } from "../../src/ports/store.ts";
import { Supervisor } from "../../src/runtime/supervisor.ts";
import { configOf } from "../config/reading.ts";
import { spec } from "../core/arbitrary.ts";
import { scriptedLauncher } from "../fakes/launcher.ts";
import { silentLog } from "../http/silent-log.ts";

const CONFIG = "discovery: { advertise: 10.0.0.1 }\nservices: { stock: { command: [x], port: 7001 } }";

/** A runtime that has started, with a request in flight, and what happens to it from then on. */
async function started({ isShared = true } = {}) {
  const clock = testClock();
  const story: string[] = [];
  const store = await openStoreAt("memory:", { clock, cwd: "/", failpoint() {} });
  let held: Promise<void> | undefined;
  const shared: Store = Object.assign(Object.create(store), {
    async commit(tenant: string, commit: Commit) {
      await held;
      const result = await store.commit(tenant, commit);
      for (const { value } of commit.put ?? []) story.push(`told ${(value as { state: string }).state}`);
      if (commit.remove?.length) story.push("told gone");
      return result;
    },
    scan: store.scan.bind(store),
    watch: store.watch.bind(store),
  });
  const { discovery, http, services } = configOf(CONFIG);
  const [service] = services;
  assert.ok(discovery && service);
  const found = openDiscovery({
    config: discovery,
    http,
    handled: [],
    shared: isShared ? shared : undefined,
    httpPort: () => undefined,
    clock,
    log: silentLog,
    env: {},
  });
  const gate = createGate({ clock });
  const supervisor = new Supervisor({
    clock,
    emit(event) {
      if (event.type === "runtime-state-changed") story.push(event.to);
      found.observe(event);
    },
    startup: { timeoutMs: 60_000, concurrency: Infinity, onFailure: "rollback" },
    shutdown: { budgetMs: 10_000, drainMs: 0 },
    kubernetes: false,
    gate,
    companions: () => [found.companion],
  });
  await supervisor.run([found.tracked(service, { spec: spec("stock"), launcher: scriptedLauncher() })]);
  while (isShared && !story.includes("told ready")) await clock.advance(0);
  assert.equal((await found.registry.resolve("stock")).address, "10.0.0.1");
  const request = { req: { raw: new Request("http://a/") }, env: {} } as Parameters<typeof gate.pass>[0];
  const answer = Promise.withResolvers<Response>();
  const served = gate.pass(request, () => answer.promise);
  story.length = 0;
  return {
    clock,
    supervisor,
    story,
    found,
    /** From now on the store does not answer, until the function that is returned is called. */
    hold() {
      const { promise, resolve } = Promise.withResolvers<void>();
      held = promise;
      return resolve;
    },
    /** Answers the request. */
    async serve() {
      answer.resolve(new Response(null));
      await served;
    },
    async [Symbol.asyncDispose]() {
      await store.close();
    },
  };
}

test("the others know before the drain begins, and the entry goes when nothing is in flight", async () => {
  await using runtime = await started();
  const { supervisor, story, clock, found } = runtime;
  const release = runtime.hold();
  supervisor.onSignal("SIGTERM");
  await clock.advance(100);
  assert.deepEqual(story, []);
  assert.equal(supervisor.snapshot().ready, true);
  // In this runtime it is so at once; the store is asked whether there is another.
  const refused = assert.rejects(found.registry.resolve("stock"), /instance_\w+ is draining/);
  release();
  await refused;
  await clock.advance(0);
  assert.deepEqual(story, ["told draining", "draining", "stopping"]);
  assert.equal((await found.registry.list())[0]?.state, "draining");
  await runtime.serve();
  await clock.advance(1_000);
  await supervisor.ended;
  assert.deepEqual(story, ["told draining", "draining", "stopping", "told gone", "destroyed"]);
});

test("a store that does not answer holds nobody up for long, and the time is the budget's", async () => {
  await using runtime = await started();
  const { supervisor, story, clock } = runtime;
  const release = runtime.hold();
  supervisor.onSignal("SIGTERM");
  await runtime.serve();
  await clock.advance(499);
  assert.deepEqual(story, []);
  await clock.advance(1);
  assert.deepEqual(story, ["draining", "stopping"]);
  await clock.advance(10_000);
  const { stages, exitCode } = await supervisor.ended;
  assert.equal(exitCode, 0);
  assert.deepEqual(
    stages.filter(({ late }) => late.length > 0).map(({ stage, late }) => [stage, ...late]),
    [["in-flight", "the entries of the registry"]],
  );
  assert.equal(stages.find(({ stage }) => stage === "in-flight")?.tookMs, stageMs("in-flight", 10_000 - 500));
  release();
});

test("who handles what is found as soon as it is said", async () => {
  await using runtime = await started({ isShared: false });
  const { found } = runtime;
  const registered: string[] = [];
  const slices = {
    intents: { register: (type: string) => void registered.push(type) },
    sagas: {
      register: (saga: { definition: { name: string } }) => void registered.push(saga.definition.name),
    },
  } as unknown as PlaneSlices;
  const { intents, sagas } = found.noting(() => slices)({
    service: "stock",
    tenant: undefined,
    inside: (work) => work(),
  });
  intents.register("report.build", {}, () => {});
  sagas.register({ definition: { name: "order.place" } } as Parameters<typeof sagas.register>[0]);
  assert.deepEqual(registered, ["report.build", "order.place"]);
  for (const intent of registered) assert.equal((await found.registry.resolve({ intent })).service, "stock");
});

test("where nobody else looks, the drain begins at once", async () => {
  await using runtime = await started({ isShared: false });
  runtime.supervisor.onSignal("SIGTERM");
  assert.deepEqual(runtime.story, ["draining"]);
  await runtime.serve();
  await runtime.supervisor.ended;
  assert.deepEqual(await runtime.found.registry.list(), []);
});

test("others are told the address that the config has, else one where they can come", () => {
  const everywhere = { host: "0.0.0.0", port: 8080, idleTimeoutMs: 1 };
  const given = { http: everywhere, shared: true, env: { POD_IP: "10.1.1.1" } };
  assert.equal(advertisedAddress({ ...given, advertise: "shop.local" }), "shop.local");
  assert.equal(advertisedAddress({ ...given, http: { ...everywhere, host: "10.0.0.9" } }), "10.0.0.9");
  assert.equal(advertisedAddress(given), "10.1.1.1");
  assert.equal(advertisedAddress({ ...given, http: false }), "10.1.1.1");
  assert.equal(advertisedAddress({ ...given, shared: false }), "127.0.0.1");
  assert.match(advertisedAddress({ ...given, env: {} }), /^[\w.:-]+$/);
  assert.doesNotMatch(advertisedAddress({ ...given, env: {} }), /^(127\.|0\.0\.0\.0|::1?$)/);
});
