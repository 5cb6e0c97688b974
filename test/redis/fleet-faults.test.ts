// What a fleet of three replicas, as the binary, survives while it carries out orders: Redis killed, a network that falls silent, replicas
// that sleep through their lease, and one that dies with a thousand sagas.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { all } from "../e2e/support/plane-writers.ts";
import { Random } from "../simulation/random.ts";
import { HangingSteps } from "./hanging-steps.ts";
import { Fleet, type FleetOptions } from "./fleet.ts";
import { fleetYaml, OrderLoad } from "./order-load.ts";
import { Proxy } from "./proxy.ts";
import { RedisServer } from "./server.ts";
import { Takeovers } from "./takeovers.ts";

const SEED = Date.now() % 2 ** 32;
const LEASE_MS = 2_000;
const LEASE = `lease: { ttl: ${LEASE_MS}ms }`;
/** For machines with few cores. */
/** What a machine that others use, too, may take; by itself it takes none of it. */
const SLACK_MS = 10_000;
const TIMEOUT = { timeout: 120_000 };
const PATIENCE_MS = 100_000;

const fleetAt = (yaml: FleetOptions["yaml"], env: FleetOptions["env"] = {}): Promise<Fleet> =>
  Fleet.start(3, { yaml, env, random: new Random(SEED), patienceMs: PATIENCE_MS });

/** Orders are placed until `disturb` is over and some more have been. */
async function underLoad(
  { fleet, load }: { fleet: Fleet; load: OrderLoad },
  disturb: () => Promise<void>,
): Promise<string> {
  const placing = load.place(fleet);
  await load.more(60);
  await disturb();
  await load.more(60);
  load.stop();
  await placing;
  return (await load.account(fleet)).story;
}

test("Redis is killed and started again, twice", TIMEOUT, async (t) => {
  await using server = await RedisServer.start();
  await using load = await OrderLoad.open(SEED);
  await using fleet = await fleetAt(fleetYaml(`url: "${server.url}", ${LEASE}`, load.intents));
  const story = await underLoad({ fleet, load }, async () => {
    for (const _ of [1, 2]) {
      await server.stop("SIGKILL");
      for (let index = 0; index < fleet.size; index++)
        await (await fleet.runtime(index).until("/health/ready", 503)).body?.cancel();
      await server.start();
      for (let index = 0; index < fleet.size; index++)
        await (await fleet.runtime(index).until("/health/ready", 200)).body?.cancel();
    }
  });
  t.diagnostic(story);
});

test("the network falls silent for 3 s, for one replica and then for all", TIMEOUT, async (t) => {
  await using server = await RedisServer.start();
  await using load = await OrderLoad.open(SEED);
  await using one = await Proxy.to(server.port);
  await using others = await Proxy.to(server.port);
  await using fleet = await fleetAt((index) =>
    fleetYaml(`url: "${(index === 0 ? one : others).url}", ${LEASE}`, load.intents),
  );
  const story = await underLoad({ fleet, load }, async () => {
    for (const silent of [[one], [one, others]]) {
      for (const proxy of silent) proxy.silence();
      await pause(3_000);
      for (const proxy of silent) proxy.resume();
      for (let index = 0; index < fleet.size; index++)
        await (await fleet.runtime(index).until("/health/ready", 200)).body?.cancel();
    }
  });
  t.diagnostic(story);
});

test("replicas are stopped past their lease, and woken", TIMEOUT, async (t) => {
  await using server = await RedisServer.start();
  await using load = await OrderLoad.open(SEED);
  await using fleet = await fleetAt(fleetYaml(`url: "${server.url}", ${LEASE}`, load.intents));
  const story = await underLoad({ fleet, load }, async () => {
    for (const asleep of [[0], [1, 2]]) {
      for (const index of asleep) fleet.runtime(index).signal("SIGSTOP");
      await pause(LEASE_MS * 1.5);
      for (const index of asleep) fleet.runtime(index).signal("SIGCONT");
    }
  });
  t.diagnostic(story);
});

test(
  "a replica is killed with a thousand running sagas: two claim at once, each saga by one",
  TIMEOUT,
  async (t) => {
    const sagas = 1_000;
    await using server = await RedisServer.start();
    await using counter = await new HangingSteps().open();
    const intents = `
  hold: { saga: { steps: [{ name: slow, execute: { url: "${counter.url}/\${TEST_REPLICA}" }, timeout: 60s }] } }`;
    await using fleet = await fleetAt(fleetYaml(`url: "${server.url}", ${LEASE}`, intents), {
      // Bun lets no more than 256 requests of a process be under way otherwise.
      BUN_CONFIG_MAX_HTTP_REQUESTS: String(2 * sagas),
    });
    const session = await fleet.plane(0).session();
    const json = { type: "hold", session, payload: {} };
    for (let placed = 0; placed < sagas; placed += 100)
      await Promise.all(Array.from({ length: 100 }, () => fleet.plane(0).ask("POST /intents", { json })));
    await counter.reached(sagas);
    assert.deepEqual(new Set(counter.calls.map(({ replica }) => replica)), new Set(["/0"]));
    counter.isFast = true;
    const takeovers = new Takeovers(server, { namespace: "shop" });
    await fleet.kill(0);
    await takeovers.note();
    await counter.reached(2 * sagas);
    const again = counter.calls.slice(sagas);
    const ends = await all(fleet, "/executions");
    for (const { id } of ends)
      assert.equal((await fleet.ask(`GET /executions/${id}?wait=9s`)).body.state, "completed");
    assert.equal(counter.calls.length, 2 * sagas, "a step was carried out by two");
    assert.deepEqual(
      again.map(({ key }) => key).toSorted(),
      counter.calls
        .slice(0, sagas)
        .map(({ key }) => key)
        .toSorted(),
    );
    const shares = [...Map.groupBy(again, ({ replica }) => replica)].map(([, some]) => some.length);
    const { ms } = takeovers.longest(await all(fleet, "/wal"));
    t.diagnostic(`longest take-over ${Math.round(ms)} ms, shares ${shares.join(" and ")}`);
    assert.ok(ms <= LEASE_MS + 1_000 + SLACK_MS, `the longest take-over took ${ms} ms`);
  },
);
