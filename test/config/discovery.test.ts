// The keys `discovery` and `port`, and what a tenant may be called.
import assert from "node:assert/strict";
import { test } from "node:test";
import { configOf, problemsOf, serviceOf } from "./reading.ts";

const SERVICES = "services: { a: { command: [x] } }\n";

test("without `discovery` and a plane there is no registry, and either of them has one", () => {
  assert.equal(configOf(SERVICES).discovery, undefined);
  const discovery = { registry: { ttlMs: 15_000, heartbeatMs: 5_000 } };
  for (const line of ["discovery: {}", "plane: {}", "store: {}"])
    assert.deepEqual(configOf(`${line}\n${SERVICES}`).discovery, discovery);
  assert.equal(configOf(`discovery: {}\n${SERVICES}`).plane, undefined);
});

test("discovery takes an address without a port, and times", () => {
  const yaml = (advertise: string) =>
    `discovery: { advertise: "${advertise}", registry: { ttl: 3s, heartbeat: 500ms } }\n${SERVICES}`;
  const registry = { ttlMs: 3_000, heartbeatMs: 500 };
  for (const [written, advertise] of [
    ["10.0.0.5", "10.0.0.5"],
    ["shop-1.local", "shop-1.local"],
    ["fd00::5", "fd00::5"],
    ["[fd00::5]", "fd00::5"],
  ] as const)
    assert.deepEqual(configOf(yaml(written)).discovery, { advertise, registry });
  for (const wrong of ["10.0.0.5:80", "http://shop", "a b", ""])
    assert.deepEqual(problemsOf(yaml(wrong)), [
      `runtime.yaml:1:25 discovery.advertise: expected a name or an address such as "10.0.0.5", without a port, got "${wrong}"`,
    ]);
});

test("a heartbeat that leaves no room for one that is lost is refused", () => {
  assert.deepEqual(problemsOf(`discovery: { registry: { heartbeat: 8s } }\n${SERVICES}`), [
    "runtime.yaml:1:37 discovery.registry.heartbeat: one that is lost would be the end of an instance: use at most half of `ttl`, which is 15s",
  ]);
  assert.deepEqual(problemsOf(`discovery: { registry: { ttl: x, heartbeat: 8s } }\n${SERVICES}`).length, 1);
});

test("a service may have a port, a task may not", () => {
  assert.equal(serviceOf("services: { a: { command: [x], port: 7001 } }").port, 7001);
  const { services } = configOf(
    'services: { a: { command: [x], replicas: 2, port: "700${HARAKA_REPLICA}" } }',
  );
  assert.deepEqual(
    services.map(({ port }) => port),
    [7001, 7002],
  );
  assert.equal(serviceOf(SERVICES).port, undefined);
  assert.deepEqual(problemsOf("services: { a: { command: [x], kind: task, port: 7001 } }"), [
    "runtime.yaml:1:44 services.a.port: nobody looks up a task: leave it out",
  ]);
  assert.equal(problemsOf("services: { a: { command: [x], port: 0 } }").length, 1);
});

test("no tenant has the name of what belongs to none", () => {
  const rule = "expected the name of a tenant: text without control characters";
  for (const yaml of [
    'plane: { auth: { tokens: [{ token: t, tenant: "\\x01system" }] } }\nservices: { a: { command: [x] } }',
    'plane: {}\nservices: { a: { command: [x], tenant: "\\x01system" } }',
  ])
    assert.match(problemsOf(yaml).join("\n"), new RegExp(rule));
});
