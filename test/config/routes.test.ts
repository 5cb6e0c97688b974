import assert from "node:assert/strict";
import { test } from "node:test";
import { printConfig } from "../../src/config/print.ts";
import { memoryConfig } from "../fakes/config-files.ts";
import { configOf, problemsOf, serviceOf } from "./reading.ts";

const service = (keys: string) => `services: { a: { ${keys} } }`;

test("a route has its defaults, and leads where the service is known to answer", () => {
  const { routes } = serviceOf(service("entrypoint: ./a.ts, routes: [{ rule: ' PathPrefix(`/api`) ' }]"));
  const [{ match, ...route } = assert.fail()] = routes;
  assert.deepEqual(route, {
    rule: "PathPrefix(`/api`)",
    entryPoints: [],
    middlewares: [],
    target: { type: "runtime" },
  });
  assert.deepEqual(match, { type: "match", matcher: "PathPrefix", values: ["/api"] });
  assert.deepEqual(routes[0]?.position, { file: "runtime.yaml", line: 1, column: 55 });
});

/** The keys of a service beside its one route, and where that leads. */
const TARGETS: [keys: string, target: unknown][] = [
  ["command: x, readiness: { http: 'http://127.0.0.1:7001/h' }", { type: "port", port: 7001 }],
  ["command: x, readiness: { http: 'https://127.0.0.1/h' }", { type: "port", port: 443 }],
  ["command: x, readiness: { tcp: '127.0.0.1:7002' }", { type: "port", port: 7002 }],
  ["command: x, liveness: { tcp: '127.0.0.1:7003' }", { type: "port", port: 7003 }],
  ["command: x, port: 7004, readiness: { tcp: '127.0.0.1:7002' }", { type: "port", port: 7004 }],
  ["entrypoint: ./a.ts, port: 7005", { type: "port", port: 7005 }],
  ["entrypoint: ./a.ts", { type: "runtime" }],
];

for (const [keys, target] of TARGETS) {
  test(`a route of { ${keys} } leads to ${JSON.stringify(target)}`, () => {
    const [route] = serviceOf(service(`${keys}, routes: [{ rule: 'Path(\`/\`)' }]`)).routes;
    assert.deepEqual(route?.target, target);
  });
}

test("a route may say where it leads, and what goes with it", () => {
  const [route] = serviceOf(
    service(
      "command: x, routes: [{ rule: 'Path(`/`)', url: 'http://10.0.0.7:99/', priority: 7, entryPoints: [web], middlewares: [auth@file], tls: { certResolver: le } }]",
    ),
  ).routes;
  assert.deepEqual(route?.target, { type: "url", url: "http://10.0.0.7:99" });
  assert.equal(route.priority, 7);
  assert.deepEqual(route.entryPoints, ["web"]);
  assert.deepEqual(route.middlewares, ["auth@file"]);
  assert.deepEqual(route.tls, { certResolver: "le" });
});

/** A service, and what is wrong with its routes. */
const WRONG: [keys: string, problem: RegExp][] = [
  [
    "command: x, routes: [{ rule: 'Path(`/`)' }]",
    /routes\[0\]: where the process answers is not known: add `port`/,
  ],
  ["command: x, kind: task, routes: [{ rule: 'Path(`/`)', port: 1 }]", /a task serves no requests/],
  [
    "command: x, routes: [{ rule: 'Pth(`/`)', port: 1 }]",
    /cannot read the rule at character 1: unknown matcher "Pth"/,
  ],
  ["command: x, routes: [{ rule: 'Path(`/`)', port: 1, url: 'http://a' }]", /exclude each other/],
  ["command: x, routes: [{ rule: 'Path(`/`)', url: 'http://a/b' }]", /scheme, host and port only/],
  [
    "command: x, routes: [{ rule: 'Path(`/`)', port: 1, middlewares: ['a,b'] }]",
    /without spaces, "," and "\/"/,
  ],
  ["command: x, routes: [{ rule: 'Path(`/`)', port: 1, entrypoints: [web] }]", /did you mean "entryPoints"/],
  ["command: x, routes: [{ port: 1 }]", /rule: expected text, got nothing/],
  ["command: x, kind: task, port: 1", /nobody looks up a task/],
];

for (const [keys, problem] of WRONG) {
  test(`the config refuses { ${keys} }`, () => {
    const problems = problemsOf(service(keys));
    assert.equal(problems.length, 1, problems.join("\n"));
    assert.match(problems[0] ?? "", problem);
  });
}

test("without a port of the runtime's own a module's route has to say where it leads", () => {
  const yaml = `http: false\n${service("entrypoint: ./a.ts, routes: [{ rule: 'Path(`/`)' }]")}`;
  assert.match(problemsOf(yaml).join("\n"), /with `http: false` there is no port/);
});

test("the token of discovery.traefik may look like a number, and is not shown, wherever it stands", () => {
  const yaml = `discovery: { traefik: { token: 0123456 } }\nservices: { a: { command: [x, "0123456"] } }\n`;
  assert.equal(configOf(yaml).discovery?.traefik?.token, "0123456");
  const printed = printConfig(memoryConfig({ files: { "runtime.yaml": yaml } }));
  assert.doesNotMatch(printed, /0123456/);
  assert.match(printed, /token: \(redacted\)/);
});

test("discovery.traefik has its defaults", () => {
  const of = (discovery: string) => configOf(`discovery: ${discovery}\n${service("command: x")}`).discovery;
  assert.deepEqual(of("{ traefik: {} }")?.traefik, {});
  assert.deepEqual(of("{ traefik: { token: t, redis: { url: 'redis://r' } } }")?.traefik, {
    token: "t",
    redis: { rootKey: "traefik", place: { url: "redis://r" } },
  });
  assert.equal(of("{}")?.traefik, undefined);
});

test("routes go to the store's Redis where no other is named, and never into a cluster", () => {
  const yamlOf = (store: string) =>
    `store: { driver: redis, ${store} }\ndiscovery: { traefik: { redis: {} } }\n${service("command: x")}`;
  const redisOf = (store: string) => configOf(yamlOf(store)).discovery?.traefik?.redis;
  assert.deepEqual(redisOf("url: redis://r/3")?.place, { url: "redis://r/3" });
  const sentinel = { master: "shop", nodes: ["redis://s:26379"] };
  const { place } = redisOf(`sentinel: ${JSON.stringify(sentinel)}`) ?? {};
  assert.deepEqual(place, { sentinel });
  assert.match(
    problemsOf(yamlOf("cluster: [redis://r]")).join("\n"),
    /Traefik reads from one server, and the store is a cluster: add `url`/,
  );
});

/** What is under `discovery.traefik`, and what is wrong with it. */
const WRONG_TRAEFIK: [traefik: string, problem: RegExp][] = [
  ["{ redis: {} }", /redis: which Redis is not known: add `url`/],
  ["{ redis: { url: 'http://r' } }", /url: expected redis:\/\/HOST:PORT/],
  ["{ redis: { url: 'redis://r?namespace=shop' } }", /url: expected redis:\/\/HOST:PORT/],
  ["{ redis: { url: 'redis://r', rootKey: a/ } }", /neither begins nor ends with "\/"/],
];

for (const [traefik, problem] of WRONG_TRAEFIK) {
  test(`the config refuses discovery: { traefik: ${traefik} }`, () => {
    const problems = problemsOf(`discovery: { traefik: ${traefik} }\n${service("command: x")}`);
    assert.equal(problems.length, 1, problems.join("\n"));
    assert.match(problems[0] ?? "", problem);
  });
}

test("routes that nobody can ask for are refused", () => {
  const yaml = `http: false\ndiscovery: { traefik: {} }\n${service("command: x")}`;
  assert.match(problemsOf(yaml).join("\n"), /with `http: false` nobody can ask `\/traefik`/);
});
