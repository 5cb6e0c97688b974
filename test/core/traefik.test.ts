import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { readRule } from "../../src/config/route-rule.ts";
import { canonicalJson } from "../../src/core/canonical-json.ts";
import type { Route } from "../../src/core/routes.ts";
import { keyChange, type KeyBook, type Publication, type Published } from "../../src/core/traefik-keys.ts";
import { traefikConfig, type TraefikServer } from "../../src/core/traefik.ts";

function routeTo(service: string, rule: string, details: Partial<Route> = {}): Route {
  const read = readRule(rule);
  assert.ok("match" in read);
  const { match } = read;
  return { service, rule, match, entryPoints: [], middlewares: [], target: { type: "runtime" }, ...details };
}

const api = routeTo("api", "PathPrefix(`/api`)");
const CHECK = { path: "/health/ready", interval: "1s", unhealthyInterval: "1s", timeout: "500ms" };

function server(instance: string, port: number, healthPort: number | undefined = port): TraefikServer {
  const url = `http://10.0.0.1:${port}`;
  return { balancer: "shop-api", instance, url, ...(healthPort !== undefined && { healthPort }) };
}

test("traefikConfig says what Traefik documents, and no more than was said", () => {
  const details = { entryPoints: ["web"], middlewares: ["auth@file"], priority: 9, tls: { options: "hard" } };
  const config = traefikConfig([{ ...api, ...details }], [server("b", 80), server("a", 8080, 8080)], "shop");
  assert.deepEqual(config.http.routers, {
    "shop-api": { rule: "PathPrefix(`/api`)", service: "shop-api", ...details },
  });
  assert.deepEqual(config.http.middlewares, { "haraka-sentinel": { retry: { attempts: 1 } } });
  assert.deepEqual(config.http.services, {
    "shop-api": {
      loadBalancer: {
        healthCheck: CHECK,
        servers: [{ url: "http://10.0.0.1:8080" }, { url: "http://10.0.0.1:80" }],
      },
    },
  });
});

test("a balancer without servers stays, so that Traefik answers 503 and not 404", () => {
  const { services, routers } = traefikConfig([api], [], "shop").http;
  assert.deepEqual(services, { "shop-api": { loadBalancer: { servers: [] } } });
  assert.ok(routers["shop-api"]);
});

test("the check is at the port where the health is, for each server its own where they differ", () => {
  const one = traefikConfig([api], [server("a", 7001, 8080)], "shop").http.services["shop-api"];
  assert.deepEqual(one, {
    loadBalancer: { healthCheck: { ...CHECK, port: 8080 }, servers: [{ url: "http://10.0.0.1:7001" }] },
  });
  const two = traefikConfig([api], [server("a", 7001, 8080), server("b", 7002, 8081)], "shop").http.services;
  assert.deepEqual(two["shop-api"], {
    weighted: {
      healthCheck: {},
      services: [
        { name: "shop-api-a", weight: 1 },
        { name: "shop-api-b", weight: 1 },
      ],
    },
  });
  assert.deepEqual(two["shop-api-b"], {
    loadBalancer: { healthCheck: { ...CHECK, port: 8081 }, servers: [{ url: "http://10.0.0.1:7002" }] },
  });
});

test("the bytes are the same in whatever order things came", () => {
  const servers = [server("a", 80), server("b", 80), server("c", 80)];
  fc.assert(
    fc.property(fc.shuffledSubarray(servers, { minLength: 3 }), (shuffled) => {
      const text = canonicalJson(traefikConfig([api], shuffled, "shop"));
      assert.equal(text, canonicalJson(traefikConfig([api], servers, "shop")));
    }),
  );
});

// ── as keys ──

function published(publisher: string, { servers = [server(publisher, 80)], routes = [api] } = {}): Published {
  return { publisher, namespace: "shop", routes, servers };
}

/** Redis, as far as it matters: the keys, and who has written which. */
class Keys {
  readonly values = new Map<string, string>();
  book: KeyBook = new Map();
  readonly steps: string[] = [];

  apply(wanted: Published, nowMs: number): void {
    const { remove, write, note } = keyChange(this.book, wanted, { nowMs, ttlMs: 15_000 });
    for (const key of remove) {
      this.steps.push(`- ${key}`);
      this.values.delete(key);
    }
    for (const [key, value] of write) {
      assert.notEqual(value, "");
      this.steps.push(`+ ${key}`);
      this.values.set(key, value);
    }
    const book = new Map<string, Publication>(this.book);
    for (const [name, publication] of note) {
      if (publication) book.set(name, publication);
      else book.delete(name);
    }
    this.book = book;
  }
}

test("one runtime's keys are those that Traefik documents", () => {
  const keys = new Keys();
  const route = { ...api, entryPoints: ["web"], priority: 9, tls: {}, middlewares: ["a@file", "b@file"] };
  keys.apply(published("one", { routes: [route], servers: [server("one", 7001, 8080)] }), 0);
  assert.deepEqual(Object.fromEntries(keys.values), {
    "http/middlewares/haraka-sentinel/retry/attempts": "1",
    "http/routers/shop-api/rule": "PathPrefix(`/api`)",
    "http/routers/shop-api/service": "shop-api",
    "http/routers/shop-api/entrypoints/0": "web",
    "http/routers/shop-api/middlewares/0": "a@file",
    "http/routers/shop-api/middlewares/1": "b@file",
    "http/routers/shop-api/priority": "9",
    "http/routers/shop-api/tls": "true",
    "http/services/shop-api/weighted/services/0/name": "shop-api-one",
    "http/services/shop-api/weighted/services/0/weight": "1",
    "http/services/shop-api/weighted/healthcheck": "true",
    "http/services/shop-api-one/loadbalancer/servers/0/url": "http://10.0.0.1:7001",
    "http/services/shop-api-one/loadbalancer/healthcheck/path": "/health/ready",
    "http/services/shop-api-one/loadbalancer/healthcheck/interval": "1s",
    "http/services/shop-api-one/loadbalancer/healthcheck/unhealthyinterval": "1s",
    "http/services/shop-api-one/loadbalancer/healthcheck/timeout": "500ms",
    "http/services/shop-api-one/loadbalancer/healthcheck/port": "8080",
  });
});

test("services are written before routers, and routers deleted before services; the sentinel stays", () => {
  const keys = new Keys();
  keys.apply(published("one"), 0);
  const kinds = () => keys.steps.splice(0).map((step) => /^(.) http\/(\w+)/.exec(step)?.slice(1).join(" "));
  assert.deepEqual([...new Set(kinds())], ["+ middlewares", "+ services", "+ routers"]);
  keys.apply(published("one", { servers: [] }), 1);
  assert.deepEqual([...new Set(kinds())], ["- routers", "- services", "+ middlewares"]);
  assert.deepEqual([...keys.values.keys()], ["http/middlewares/haraka-sentinel/retry/attempts"]);
});

test("what two have in common stays until the second has left", () => {
  const keys = new Keys();
  keys.apply(published("one"), 0);
  keys.apply(published("two"), 1);
  keys.apply(published("one", { servers: [] }), 2);
  assert.equal(keys.values.get("http/routers/shop-api/service"), "shop-api");
  assert.equal(keys.values.get("http/services/shop-api/weighted/services/1/name"), "shop-api-two");
  assert.ok(![...keys.values.keys()].some((key) => key.includes("services/0/name")));
  keys.apply(published("two", { servers: [] }), 3);
  assert.equal(keys.values.size, 1);
});

test("one that lives takes out what one that has died has left, and not before its time", () => {
  const keys = new Keys();
  keys.apply(published("dead"), 0);
  keys.apply(published("alive"), 14_999);
  assert.ok([...keys.values.keys()].some((key) => key.includes("shop-api-dead")));
  keys.apply(published("alive"), 15_000);
  assert.ok(![...keys.values.keys()].some((key) => key.includes("shop-api-dead")));
  assert.deepEqual([...keys.book.keys()], ["alive"]);
});

test("of two configs the newer runtime's is right, also after the older one's heartbeat", () => {
  const keys = new Keys();
  const rule = () => keys.values.get("http/routers/shop-api/rule");
  keys.apply(published("old"), 0);
  const next = routeTo("api", "PathPrefix(`/v2`)");
  keys.apply(published("new", { routes: [next] }), 1);
  assert.equal(rule(), "PathPrefix(`/v2`)");
  keys.apply(published("old"), 2);
  assert.equal(rule(), "PathPrefix(`/v2`)");
  keys.apply(published("new", { servers: [] }), 3);
  keys.apply(published("old"), 4);
  assert.equal(rule(), "PathPrefix(`/api`)");
});

test("whoever comes, goes and dies, no router leads nowhere and nothing of the dead is left", () => {
  const step = fc.record({
    publisher: fc.constantFrom("a", "b", "c", "d"),
    servers: fc.nat({ max: 2 }),
    afterMs: fc.constantFrom(0, 1, 5_000, 20_000),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const keys = new Keys();
      let nowMs = 0;
      for (const { publisher, servers, afterMs } of steps) {
        nowMs += afterMs;
        const own = Array.from({ length: servers }, (_, index) => server(`${publisher}${index}`, 80 + index));
        keys.apply(published(publisher, { servers: own }), nowMs);
        const alive = [...keys.book].filter(([, { untilMs }]) => untilMs > nowMs);
        assert.equal(alive.length, keys.book.size);
        const indexes = alive.map(([, { index }]) => index);
        assert.equal(new Set(indexes).size, indexes.length);
        const named = [...keys.values].filter(([key]) => /weighted\/services\/\d+\/name$/.test(key));
        assert.deepEqual(
          named.map(([, name]) => name).toSorted(),
          alive.map(([name]) => `shop-api-${name}`).toSorted(),
        );
        const hasRouter = keys.values.has("http/routers/shop-api/rule");
        assert.equal(hasRouter, alive.length > 0);
        for (const [name] of alive)
          assert.ok(keys.values.has(`http/services/shop-api-${name}/loadbalancer/servers/0/url`));
      }
    }),
  );
});
