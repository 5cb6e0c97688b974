// What the registry says of services as they come and go, and when the runtime itself leaves.
import assert from "node:assert/strict";
import { test } from "node:test";
import { testClock } from "../../src/compose/testing.ts";
import type { StateName } from "../../src/core/service-state.ts";
import { Presence } from "../../src/discovery/presence.ts";
import { RuntimeRegistry } from "../../src/discovery/registry.ts";
import { namesOf } from "./rig.ts";

function rig({ httpPort = () => 8080 as number | undefined } = {}) {
  const registry = new RuntimeRegistry({ clock: testClock(), random: () => 0 });
  let count = 0;
  const newInstance = () => `instance_${++count}`;
  const presence = new Presence({ registry, address: "10.0.0.1", httpPort, newInstance });
  const become = (name: string, ...states: StateName[]) =>
    states.forEach((state) => presence.observe(name, state));
  return { registry, presence, become, list: async () => namesOf(await registry.list()) };
}

test("an entry follows the states of its service from its start to its end", async () => {
  const { presence, become, list } = rig();
  presence.launched("stock", { group: "stock", port: 7001 });
  assert.deepEqual(await list(), []);
  const seen: string[] = [];
  const states: StateName[] = ["pending", "starting", "started", "ready", "unready", "ready", "stopping"];
  for (const state of [...states, "stopped", "starting", "backoff", "starting", "failed"] as StateName[]) {
    become("stock", state);
    seen.push((await list()).join());
  }
  const [no, starting, ready] = ["", "1 starting", "1 ready"];
  const first = [no, starting, starting, ready, starting, ready, "1 draining"];
  assert.deepEqual(seen, [...first, no, starting, no, starting, no]);
});

test("a module is found at the runtime's own port once it has routes or handles an intent", async () => {
  const { registry, presence, become } = rig();
  for (const name of ["api", "worker", "quiet"]) {
    presence.launched(name, { group: name });
    become(name, "starting");
  }
  assert.deepEqual(await registry.list(), []);
  presence.mounted("api");
  presence.handles("worker", "order.place");
  presence.handles("worker", "order.cancel");
  presence.handles("worker", "order.place");
  const common = { address: "10.0.0.1", port: 8080, tags: ["health:8080"], state: "starting" } as const;
  assert.deepEqual(await registry.list(), [
    { ...common, service: "api", instance: "instance_1" },
    { ...common, service: "worker", instance: "instance_2", intents: ["order.cancel", "order.place"] },
  ]);
  // Its next code has no routes.
  presence.launched("api", { group: "api" });
  assert.deepEqual(namesOf(await registry.list("api")), []);
});

test("without a port of the runtime only those with one of their own are found", async () => {
  const { presence, become, list } = rig({ httpPort: () => undefined });
  for (const name of ["api", "stock"]) become(name, "ready");
  presence.launched("api", { group: "api" });
  presence.mounted("api");
  presence.launched("stock", { group: "stock", port: 7001 });
  assert.deepEqual(await list(), ["1 ready"]);
});

test("replicas are instances of one service", async () => {
  const { registry, presence, become } = rig();
  for (const replica of [1, 2]) {
    presence.launched(`stock-${replica}`, { group: "stock", port: 7000 + replica });
    become(`stock-${replica}`, "ready");
  }
  assert.deepEqual(
    (await registry.list("stock")).map(({ port }) => port),
    [7001, 7002],
  );
});

test("when the runtime leaves, all drain at once, then are gone, and nothing comes back", async () => {
  const { registry, presence, become, list } = rig();
  for (const name of ["a", "b"]) {
    presence.launched(name, { group: name, port: 7001 });
    become(name, "ready");
  }
  const drained = presence.drain();
  await assert.rejects(registry.resolve("a"));
  await drained;
  become("b", "unready", "ready");
  assert.deepEqual(await list(), ["1 draining", "2 draining"]);
  await presence.leave();
  assert.deepEqual(await list(), []);
  become("b", "ready");
  presence.launched("c", { group: "c", port: 7001 });
  become("c", "ready");
  await presence.drain();
  assert.deepEqual(await list(), []);
});
