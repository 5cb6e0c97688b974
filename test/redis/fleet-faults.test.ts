// What a fleet of three replicas, as the binary, survives while it carries out orders: Redis killed, a network that falls silent, replicas
// that sleep through their lease or die with a thousand sagas, and a failover that has lost what was acknowledged.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { createClient } from "redis";
import { all } from "../e2e/support/plane-writers.ts";
import { Random } from "../simulation/random.ts";
import { Fleet, type FleetOptions } from "./fleet.ts";
import { fleetYaml, OrderLoad } from "./order-load.ts";
import { Proxy } from "./proxy.ts";
import { Sentinels } from "./sentinels.ts";
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

/** A step that hangs until it is let go; each call says which replica made it, and under which key. */
class Counter implements AsyncDisposable {
  readonly calls: { replica: string; key: string }[] = [];
  isFast = false;
  readonly #server = createServer((request, response) => {
    this.calls.push({ replica: request.url ?? "", key: String(request.headers["idempotency-key"]) });
    this.#look();
    if (this.isFast) response.end("{}");
  });
  #look = (): void => {};

  async open(): Promise<this> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Resolves once there have been so many calls. */
  async reached(count: number): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#look = () => this.calls.length >= count && resolve();
      this.#look();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

test(
  "a replica is killed with a thousand running sagas: two claim at once, each saga by one",
  TIMEOUT,
  async (t) => {
    const sagas = 1_000;
    await using server = await RedisServer.start();
    await using counter = await new Counter().open();
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

test(
  "a failover that has lost what was acknowledged is detected and told, and nobody builds on it",
  TIMEOUT,
  async () => {
    await using rig = await Sentinels.start();
    const nodes = rig.urls.map((url) => `"${url}"`).join(", ");
    await using fleet = await fleetAt(
      fleetYaml(`sentinel: { master: main, nodes: [${nodes}] }, ${LEASE}`, " {}"),
    );
    const put = (index: number, value: number) =>
      fleet.plane(index).ask(`PUT /state/n/k${index}`, { json: { value } });
    for (let index = 0; index < fleet.size; index++) assert.equal((await put(index, 1)).status, 201);
    await cutOff(rig);
    const { status, headers } = await put(0, 2);
    assert.deepEqual([status, headers.get("etag")], [200, '"2"']);
    await rig.master.stop("SIGKILL");
    for (let index = 0; index < fleet.size; index++) {
      await fleet.runtime(index).record("haraka", /^cannot reach the Redis master/);
      await fleet.runtime(index).record("haraka", "the store can be reached again");
    }
    const refused = await put(0, 3);
    assert.equal(refused.status, 503, refused.text);
    await fleet
      .runtime(0)
      .record("haraka", /ends with record 3 and is not the one whose record 4 was acknowledged/);
    // Those that lost nothing go on; whoever remembers takes it as it is after a restart.
    assert.equal((await put(1, 2)).status, 200);
    assert.equal((await put(0, 3)).status, 503, "it is written although it is another log");
    await fleet.stop(0);
    await fleet.launch(0);
    assert.equal((await put(0, 3)).status, 200);
  },
);

/** The replica gets nothing any more, and nobody who is connected to the master notices. */
async function cutOff({ master, replica }: Sentinels): Promise<void> {
  const client = createClient({ url: master.url });
  await client.connect();
  await client.sendCommand(["CONFIG", "SET", "requirepass", "cut"]);
  await client.sendCommand(["CLIENT", "KILL", "TYPE", "replica"]);
  client.destroy();
  while (!String(await replica.command("INFO", "replication")).includes("master_link_status:down"));
}
