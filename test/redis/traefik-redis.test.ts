// Routes in a real Redis, as Traefik's Redis provider finds them there.
import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { createClient } from "redis";
import { systemClock } from "../../src/drivers/clock.ts";
import { readRule } from "../../src/config/route-rule.ts";
import type { Published } from "../../src/core/traefik-keys.ts";
import { RoutePublisher } from "../../src/discovery/route-publisher.ts";
import { dialSentinel, dialServer } from "../../src/drivers/redis/dial.ts";
import { traefikRedis } from "../../src/drivers/redis/route-keys.ts";
import { Sentinels } from "./sentinels.ts";
import { RedisServer } from "./server.ts";

let server: RedisServer;
before(async () => {
  server = await RedisServer.start();
});
after(() => server[Symbol.asyncDispose]());

const LIFE = { nowMs: 0, ttlMs: 15_000 };
const NAMESPACE = "shop";

/** Each test has keys of its own. */
let count = 0;
const newRoot = (): string => `traefik-${(count += 1)}`;

function published(publisher: string, servers = 1): Published {
  const read = readRule("PathPrefix(`/api`)");
  assert.ok("match" in read);
  const { match } = read;
  const details = { rule: "PathPrefix(`/api`)", match, entryPoints: [], middlewares: [] };
  return {
    publisher,
    namespace: NAMESPACE,
    routes: [{ service: "api", ...details, target: { type: "runtime" } }],
    servers: Array.from({ length: servers }, (_, index) => ({
      balancer: "shop-api",
      instance: `${publisher}-${index}`,
      url: `http://10.0.0.1:${80 + index}`,
      healthPort: 80,
    })),
  };
}

const keysAt = (rootKey: string) =>
  traefikRedis({ dial: dialServer(server.url), name: server.url, rootKey, namespace: NAMESPACE });

function publisherOf(rootKey: string, wanted: () => Published, { ttlMs = 15_000, heartbeatMs = 5_000 } = {}) {
  const troubles: (string | undefined)[] = [];
  const heard = new EventTarget();
  const publisher = new RoutePublisher({
    keys: keysAt(rootKey),
    clock: systemClock(),
    ttlMs,
    heartbeatMs,
    published: wanted,
    onTrouble(reason) {
      troubles.push(reason);
      heard.dispatchEvent(new Event(reason === undefined ? "well" : "trouble"));
    },
  });
  return { publisher, troubles, heard };
}

/** A second client, as Traefik is one: hears of each key that changes, in order. */
async function listener(rootKey: string) {
  const client = createClient({ url: server.url });
  await client.connect();
  await client.configSet("notify-keyspace-events", "KEA");
  const ear = client.duplicate();
  await ear.connect();
  const changed: string[] = [];
  const waiting = new Set<() => void>();
  await ear.pSubscribe(`__keyspace@0__:${rootKey}/*`, (what, channel) => {
    changed.push(`${what} ${channel.slice(channel.indexOf(":") + 1)}`);
    for (const look of waiting) look();
  });
  return {
    changed,
    /** Resolves once this holds of what Redis has. */
    async until(holds: (keys: ReadonlyMap<string, string>) => boolean): Promise<ReadonlyMap<string, string>> {
      for (;;) {
        const change = new Promise<void>((resolve) => waiting.add(resolve));
        const names = (await client.keys(`${rootKey}/*`)).toSorted();
        const values = await Promise.all(names.map((name) => client.get(name)));
        const keys = new Map(names.map((name, index) => [name, values[index] ?? ""]));
        if (holds(keys)) return keys;
        await change;
      }
    },
    client,
    async [Symbol.asyncDispose]() {
      ear.destroy();
      client.destroy();
    },
  };
}

const has = (part: string) => (keys: ReadonlyMap<string, string>) =>
  [...keys.keys()].some((key) => key.includes(part));

test("what two runtimes publish is there as one, and the sentinel alone when both have left", async () => {
  const root = newRoot();
  await using ear = await listener(root);
  const one = publisherOf(root, () => published("one"));
  const two = publisherOf(root, () => published("two", 2));
  one.publisher.start();
  two.publisher.start();
  const keys = await ear.until((all) => has("shop-api-one")(all) && has("shop-api-two")(all));
  assert.equal(keys.get(`${root}/http/routers/shop-api/rule`), "PathPrefix(`/api`)");
  const names = [0, 1].map((index) =>
    keys.get(`${root}/http/services/shop-api/weighted/services/${index}/name`),
  );
  assert.deepEqual(new Set(names), new Set(["shop-api-one", "shop-api-two"]));
  assert.equal(
    keys.get(`${root}/http/services/shop-api-two/loadbalancer/servers/1/url`),
    "http://10.0.0.1:81",
  );
  await one.publisher.close();
  assert.ok(has("routers/shop-api")(await ear.until((all) => !has("shop-api-one")(all))));
  await two.publisher.close();
  const left = await ear.until((all) => !has("shop-api")(all));
  assert.deepEqual([...left], [[`${root}/http/middlewares/haraka-sentinel/retry/attempts`, "1"]]);
  assert.equal(await ear.client.exists(`${NAMESPACE}:traefik:${root}`), 0);
});

test("services come before routers, and routers go before services", async () => {
  const root = newRoot();
  await using ear = await listener(root);
  const { publisher } = publisherOf(root, () => published("one"));
  publisher.start();
  await ear.until(has("routers/shop-api/service"));
  await publisher.close();
  await ear.until((all) => !has("shop-api")(all));
  const kinds = ear.changed.map((change) => /^(\w+) .*\/http\/(\w+)/.exec(change)?.slice(1).join(" "));
  assert.deepEqual(
    kinds.filter((kind, index) => kind !== kinds[index - 1] && !kind?.endsWith("middlewares")),
    ["set services", "set routers", "del routers", "del services"],
  );
});

test("ten that come at once have ten places", async () => {
  const root = newRoot();
  await using ear = await listener(root);
  const all = Array.from({ length: 10 }, (_, index) => publisherOf(root, () => published(`p${index}`)));
  for (const { publisher } of all) publisher.start();
  const named = (keys: ReadonlyMap<string, string>) =>
    [...keys].filter(([key]) => /weighted\/services\/\d+\/name$/.test(key)).map(([, name]) => name);
  const keys = await ear.until((found) => named(found).length === 10);
  assert.equal(new Set(named(keys)).size, 10);
  await Promise.all(all.map(({ publisher }) => publisher.close()));
  await ear.until((found) => found.size === 1);
});

test("what a runtime that was killed has left is taken out by one that lives, within its lease", async () => {
  const root = newRoot();
  await using ear = await listener(root);
  const dead = keysAt(root);
  const { keyChange } = await import("../../src/core/traefik-keys.ts");
  await dead.exchange((book, nowMs) => keyChange(book, published("dead"), { ...LIFE, nowMs, ttlMs: 300 }));
  await dead.close();
  assert.ok(has("shop-api-dead")(await ear.until(() => true)));
  const { publisher } = publisherOf(root, () => published("alive"), { ttlMs: 300, heartbeatMs: 50 });
  publisher.start();
  assert.ok(has("shop-api-alive")(await ear.until((all) => !has("shop-api-dead")(all))));
  await publisher.close();
});

test("a heartbeat touches the keys, and brings back what Redis has lost in a restart", async () => {
  const root = newRoot();
  const { publisher, troubles, heard } = publisherOf(root, () => published("one"), { heartbeatMs: 50 });
  {
    await using ear = await listener(root);
    publisher.start();
    await ear.until(has("routers/shop-api/rule"));
    const seen = ear.changed.length;
    await ear.until(() => ear.changed.length > seen);
    await ear.client.flushAll();
    await ear.until(has("routers/shop-api/rule"));
  }
  const trouble = once(heard, "trouble");
  await server.stop();
  await trouble;
  assert.match(troubles[0] ?? "", /^cannot publish routes to redis:\/\/127\.0\.0\.1:\d+: /);
  const well = once(heard, "well");
  await server.start();
  await well;
  await using ear = await listener(root);
  await ear.until(has("routers/shop-api/rule"));
  await publisher.close();
});

test(
  "by sentinels: routes are published again where the master is after a failover",
  { timeout: 60_000 },
  async () => {
    await using rig = await Sentinels.start();
    const keys = traefikRedis({
      dial: dialSentinel({ master: "main", nodes: rig.urls }),
      name: "main",
      rootKey: "traefik",
      namespace: NAMESPACE,
    });
    const heard = new EventTarget();
    const publisher = new RoutePublisher({
      keys,
      clock: systemClock(),
      ttlMs: 15_000,
      heartbeatMs: 100,
      published: () => published("one"),
      onTrouble: (reason) => heard.dispatchEvent(new Event(reason === undefined ? "well" : "trouble")),
    });
    publisher.start();
    const rule = () => rig.replica.command("GET", "traefik/http/routers/shop-api/rule");
    const well = once(heard, "well");
    await rig.master.stop("SIGKILL");
    await well;
    assert.equal(await rule(), "PathPrefix(`/api`)");
    await publisher.close();
    assert.equal(await rule(), null);
  },
);

test("a server that has become a replica is left, though its connection lives", async () => {
  await using former = await RedisServer.start();
  await using next = await RedisServer.start();
  let master = former;
  const dial = () => dialServer(master.url)();
  const keys = traefikRedis({ dial, name: "main", rootKey: "traefik", namespace: NAMESPACE });
  const { keyChange } = await import("../../src/core/traefik-keys.ts");
  const publish = () => keys.exchange((book, nowMs) => keyChange(book, published("one"), { ...LIFE, nowMs }));
  await publish();
  await former.command("REPLICAOF", "127.0.0.1", String(next.port));
  master = next;
  await assert.rejects(publish(), /^Error: cannot publish routes to main: READONLY/);
  await publish();
  assert.equal(await next.command("GET", "traefik/http/routers/shop-api/rule"), "PathPrefix(`/api`)");
  await keys.close();
});

test("keys of another application, also under the same root, are left alone", async () => {
  const root = newRoot();
  await using ear = await listener(root);
  await ear.client.set(`${root}/http/routers/theirs/rule`, "Path(`/theirs`)");
  await ear.client.set("session:1", "x");
  const { publisher } = publisherOf(root, () => published("one"));
  publisher.start();
  await ear.until(has("routers/shop-api/rule"));
  await publisher.close();
  await ear.until((all) => !has("shop-api")(all));
  assert.equal(await ear.client.get(`${root}/http/routers/theirs/rule`), "Path(`/theirs`)");
  assert.equal(await ear.client.get("session:1"), "x");
});

test("one that may touch only our keys and Traefik's, and run only what is needed, is enough", async () => {
  const root = newRoot();
  const own = `on >right ~${NAMESPACE}:* ~${root}/* -@all +@read +@write +time +hello +watch +multi +exec`;
  await server.command("ACL", "SETUSER", "publisher", "reset", ...own.split(" "));
  await using ear = await listener(root);
  const url = server.url.replace("//", "//publisher:right@");
  const keys = traefikRedis({ dial: dialServer(url), name: server.url, rootKey: root, namespace: NAMESPACE });
  const { keyChange } = await import("../../src/core/traefik-keys.ts");
  await keys.exchange((book, nowMs) => keyChange(book, published("one"), { ...LIFE, nowMs }));
  assert.ok(has("routers/shop-api/rule")(await ear.until(() => true)));
  await server.command("ACL", "SETUSER", "publisher", `resetkeys`, `~${NAMESPACE}:*`);
  await assert.rejects(
    keys.exchange((book, nowMs) => keyChange(book, published("one"), { ...LIFE, nowMs })),
    /^Error: cannot publish routes to redis:.*: NOPERM/,
  );
  await keys.close();
});

test("a book that somebody else has written into is no reason to stop", async () => {
  const root = newRoot();
  await using ear = await listener(root);
  await ear.client.hSet(`${NAMESPACE}:traefik:${root}`, { odd: "{", strange: '{"keys":7}' });
  const { publisher } = publisherOf(root, () => published("one"));
  publisher.start();
  await ear.until(has("routers/shop-api/rule"));
  await publisher.close();
});
