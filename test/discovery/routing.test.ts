import assert from "node:assert/strict";
import { test } from "node:test";
import type { Config } from "../../src/config/config.ts";
import type { StateName } from "../../src/core/service-state.ts";
import { Routing } from "../../src/discovery/routing.ts";
import type { TraefikConfig } from "../../src/core/traefik.ts";
import { UsageError } from "../../src/errors.ts";
import type { NewRoute } from "../../src/ports/routing.ts";
import type { RegistryEntry } from "../../src/ports/registry.ts";
import { configOf } from "../config/reading.ts";

const YAML = `
services:
  api:
    command: x
    port: 7001
    replicas: 2
    routes: [{ rule: "Host(\`shop.example\`) && PathPrefix(\`/api\`)" }, { rule: "PathPrefix(\`/metrics\`)", port: 9100 }]
  web:
    entrypoint: ./web.ts
    routes: [{ rule: "PathPrefix(\`/\`)", url: "http://web.internal" }]
  plain: { entrypoint: ./plain.ts }
`;

/** The routing of a config, with states that can be set. */
function routingOf(config: Config = configOf(YAML)) {
  const states = new Map<string, StateName>(config.services.map(({ name }) => [name, "ready"]));
  const now = { ready: true };
  const routing = new Routing({
    namespace: "shop",
    publisher: "p",
    services: () => config.services,
    snapshot: () => ({
      ready: now.ready,
      components: Object.fromEntries(
        [...states].map(([name, state]) => [name, { status: "healthy" as const, state, sinceMs: 0 }]),
      ),
    }),
    address: "10.0.0.1",
    httpPort: () => 8080,
  });
  return {
    routing,
    states,
    now,
    urls: () => routing.servers().map(({ balancer, url }) => `${balancer} ${url}`),
  };
}

test("each replica that is ready is a server of each place that its routes lead to", () => {
  const { urls, states } = routingOf();
  assert.deepEqual(urls(), [
    "shop-api http://10.0.0.1:7001",
    "shop-api-2 http://10.0.0.1:9100",
    "shop-api http://10.0.0.1:7001",
    "shop-api-2 http://10.0.0.1:9100",
    "shop-web http://web.internal",
  ]);
  states.set("api-1", "unready");
  assert.equal(urls().length, 3);
});

test("a runtime that is not ready, or drains, has no servers, and its routes stay", () => {
  const { routing, now, urls } = routingOf();
  now.ready = false;
  assert.deepEqual(urls(), []);
  assert.equal(routing.routes().length, 3);
});

test("a service that does not run has no routes", () => {
  const { routing, states } = routingOf();
  states.delete("web");
  assert.deepEqual(
    routing.routes().map(({ service }) => service),
    ["api", "api"],
  );
});

test("a service is found by its name and by a URL", () => {
  const { routing } = routingOf();
  assert.equal(routing.urlOf("api"), "http://shop.example/api");
  assert.equal(routing.urlOf("plain"), undefined);
  assert.equal(routing.serviceOf("https://shop.example/api/orders"), "api");
  assert.equal(routing.serviceOf("https://other.example/api/orders"), "web");
});

test("a service adds a route of its own, which goes with it", () => {
  const { routing, urls } = routingOf();
  const life = new AbortController();
  let told = 0;
  routing.onChanged(() => (told += 1));
  routing.slice("plain", life.signal).add({ rule: "Path(`/plain/things`)", tls: true });
  assert.ok(urls().includes("shop-plain http://10.0.0.1:8080"));
  assert.equal(routing.serviceOf("http://x/plain/things"), "plain");
  life.abort();
  assert.equal(routing.urlOf("plain"), undefined);
  assert.equal(told, 2);
});

test("a service that restarts is away, not unknown, until it has said which routes it has now", () => {
  const { routing, urls, states } = routingOf();
  const rules = () => routing.routes().map(({ service, rule }) => `${service} ${rule}`);
  const before = new AbortController();
  routing.slice("plain", before.signal).add({ rule: "Path(`/plain/kept`)" });
  routing.slice("plain", before.signal).add({ rule: "Path(`/plain/moved`)" });
  const first = rules();
  states.set("plain", "stopping");
  before.abort();
  states.set("plain", "starting");
  assert.deepEqual(rules(), first);
  assert.equal(routing.serviceOf("http://x/plain/kept"), "plain");
  assert.ok(!urls().some((url) => url.startsWith("shop-plain")));
  // Another one may have what it had.
  routing.slice("web", new AbortController().signal).add({ rule: "Path(`/plain/moved`)" });
  assert.equal(routing.serviceOf("http://x/plain/moved"), "web");
  assert.ok(!rules().includes("plain Path(`/plain/moved`)"));
  // With other details it is the same place all the same.
  routing
    .slice("plain", new AbortController().signal)
    .add({ rule: "Path(`/plain/kept`)", middlewares: ["auth"] });
  assert.deepEqual(
    routing.routes().flatMap(({ service, middlewares }) => (service === "plain" ? [middlewares] : [])),
    [["auth"]],
  );
  states.set("plain", "ready");
  assert.ok(urls().some((url) => url.startsWith("shop-plain")));
});

test("replicas that add the same route add one, and each is a server of it", () => {
  const { routing, urls } = routingOf();
  const life = new AbortController();
  for (const name of ["api-1", "api-2"]) routing.slice(name, life.signal).add({ rule: "Path(`/extra`)" });
  assert.equal(routing.routes().filter(({ rule }) => rule === "Path(`/extra`)").length, 1);
  assert.equal(urls().filter((url) => url === "shop-api http://10.0.0.1:7001").length, 2);
});

test("where the registry knows of other runtimes, what is ready there is a server here", () => {
  const { routing } = routingOf();
  const entry = (service: string, instance: string, details: Partial<RegistryEntry> = {}): RegistryEntry => ({
    service,
    instance,
    address: "10.0.0.2",
    port: 7001,
    tags: ["health:8081"],
    state: "ready",
    ...details,
  });
  const document = JSON.parse(
    routing.document([
      entry("api", "a"),
      entry("api", "b", { address: "fd00::7" }),
      entry("api", "c", { state: "draining" }),
      entry("api", "d", { state: "starting" }),
      entry("other", "e"),
      entry("web", "f", { tags: [] }),
      entry("web", "g", { tags: [] }),
    ]),
  ) as TraefikConfig;
  const check = {
    path: "/health/ready",
    interval: "1s",
    unhealthyInterval: "1s",
    timeout: "500ms",
    port: 8081,
  };
  assert.deepEqual(document.http.services, {
    "shop-api": {
      loadBalancer: {
        healthCheck: check,
        servers: [{ url: "http://10.0.0.2:7001" }, { url: "http://[fd00::7]:7001" }],
      },
    },
    "shop-api-2": {
      loadBalancer: {
        healthCheck: check,
        servers: [{ url: "http://10.0.0.2:9100" }, { url: "http://[fd00::7]:9100" }],
      },
    },
    "shop-web": { loadBalancer: { servers: [{ url: "http://web.internal" }] } },
  });
});

test("the document is the same bytes in whatever order services have come up, its keys in order", () => {
  const documentOf = (names: string[]) => {
    const { routing } = routingOf(
      configOf(
        "services: { a: { entrypoint: ./a.ts }, b: { entrypoint: ./b.ts, routes: [{ rule: 'Path(`/`)' }] } }",
      ),
    );
    for (const name of names)
      routing.slice(name, new AbortController().signal).add({ rule: `Path(\`/${name}\`)`, priority: 9 });
    return routing.document();
  };
  const text = documentOf(["a", "b"]);
  assert.equal(documentOf(["b", "a"]), text);
  const isSorted = (value: unknown): boolean => {
    if (typeof value !== "object" || value === null) return true;
    const keys = Array.isArray(value) ? [] : Object.keys(value);
    return (
      keys.every((key, index) => index === 0 || key > (keys[index - 1] ?? "")) &&
      Object.values(value).every(isSorted)
    );
  };
  assert.ok(isSorted(JSON.parse(text)), text);
});

/** What a service adds that cannot be, and why. */
const WRONG: [route: NewRoute, problem: RegExp][] = [
  [
    { rule: "Pth(`/`)" },
    /cannot route Pth\(`\/`\) to "plain": cannot read the rule at character 1: unknown matcher "Pth"/,
  ],
  [{ rule: 'PathPrefix("/")' }, /"web" has the same rule with the same priority; change one of them/],
  [{ rule: "Path(`/x`)", url: "nowhere" }, /expected scheme, host and port only, got "nowhere"/],
  [{ rule: "Path(`/x`)", url: "http://a/b" }, /expected scheme, host and port only/],
  [{ rule: "Path(`/x`)", port: 70_000 }, /expected a port from 1 up to 65535, got 70000/],
  [{ rule: "Path(`/x`)", port: 80, url: "http://a" }, /`port` and `url` exclude each other/],
  [{ rule: "Path(`/x`)", middlewares: [""] }, /expected a name without spaces, "," and "\/", got ""/],
  [{ rule: "Path(`/x`)", priority: 1.5 }, /expected a whole number, 0 or more, got 1.5/],
];

for (const [route, problem] of WRONG) {
  test(`a service cannot add ${JSON.stringify(route)}`, () => {
    const { routing } = routingOf();
    const { add } = routing.slice("plain", new AbortController().signal);
    assert.throws(
      () => add(route),
      (error) => error instanceof UsageError && problem.test(error.message),
    );
    assert.equal(routing.urlOf("plain"), undefined);
  });
}
