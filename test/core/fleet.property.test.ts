import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isAlive } from "../../src/core/service-state.ts";
import { graph, livelyGraph } from "./arbitrary.ts";
import { Simulation } from "./simulation.ts";

const coins = fc.infiniteStream(fc.nat(0xffff_ffff));

test("Fleet starts in order, stops in reverse, starts nothing twice (10,000 random graphs and fates)", () => {
  const holds = fc.property(
    graph,
    coins,
    fc.nat(80),
    fc.integer({ min: 1, max: 6 }),
    (specs, flips, stopAt, concurrency) => {
      const world = new Simulation(specs, { concurrency, onFailure: "continue" });
      world.tell({ type: "boot-requested" });
      let steps = 0;
      while (steps++ < stopAt && world.gaveUp.length === 0 && world.step(flips.next().value)) {
        const starting = world.fleet.members.filter(({ state }) => state.name === "starting").length;
        assert.ok(starting <= concurrency);
      }
      world.tell({ type: "stop-requested" });
      while (world.step(flips.next().value));
      assert.ok(world.fleet.ended);
      for (const { state } of world.fleet.members) assert.ok(!isAlive(state) && state.name !== "pending");
    },
  );
  fc.assert(holds, { numRuns: 10_000 });
});

test("Fleet brings every service up when nothing fails, and only probes and tasks take turns", () => {
  const holds = fc.property(graph, (specs) => {
    const world = new Simulation(specs);
    world.tell({ type: "boot-requested" });
    for (let round = 0; round < 100 && world.fleet.boot === "moving"; round++) {
      for (const { planned, state } of world.fleet.members) {
        const target = { service: planned.spec.name, incarnation: 1 };
        if (state.name === "starting" && !state.launched) world.tell({ type: "service-launched", ...target });
        else if (state.name === "starting" && planned.spec.task) {
          world.tell({ type: "service-exited", code: 0, signal: null, ...target });
        } else if (state.name === "starting")
          world.tell({ type: "probe-passed", probe: "startup", ...target });
        else if (state.name === "started")
          world.tell({ type: "probe-passed", probe: "readiness", ...target });
      }
    }
    assert.equal(world.fleet.boot, "settled");
    assert.equal(world.launched.length, specs.length);
  });
  fc.assert(holds, { numRuns: 2_000 });
});

test("Fleet restarts, obeys and keeps to the order, never with two lives of one replica (10,000 random graphs and fates)", () => {
  const holds = fc.property(
    livelyGraph,
    coins,
    fc.nat(120),
    fc.record({ concurrency: fc.integer({ min: 1, max: 6 }), orders: fc.boolean() }),
    (specs, flips, stopAt, { concurrency, orders }) => {
      const world = new Simulation(specs, { concurrency, onFailure: "continue" });
      world.tell({ type: "boot-requested" });
      for (let steps = 0; steps < stopAt && world.gaveUp.length === 0; steps++) {
        const coin = flips.next().value;
        if (orders && coin % 9 === 0) world.order(flips.next().value);
        else world.step(coin);
        const starting = world.fleet.members.filter(({ state }) => state.name === "starting").length;
        assert.ok(starting <= concurrency);
      }
      world.tell({ type: "stop-requested" });
      while (world.step(flips.next().value));
      assert.ok(world.fleet.ended);
      for (const { state } of world.fleet.members)
        assert.ok(
          !isAlive(state) && (state.name === "stopped" || !["pending", "backoff"].includes(state.name)),
        );
      assert.ok(world.gaveUp.length <= 1);
    },
  );
  fc.assert(holds, { numRuns: 10_000 });
});

test("Fleet gives up at most once, and only for a critical service or finished tasks", () => {
  const holds = fc.property(fc.oneof(graph, livelyGraph), coins, (specs, flips) => {
    const world = new Simulation(specs, { onFailure: "rollback" });
    world.tell({ type: "boot-requested" });
    while (world.gaveUp.length === 0 && world.step(flips.next().value));
    world.tell({ type: "stop-requested" });
    while (world.step(flips.next().value));
    assert.ok(world.gaveUp.length <= 1);
    for (const { service } of world.gaveUp) {
      assert.ok(service === undefined || world.fleet.member(service)?.planned.spec.critical);
    }
  });
  fc.assert(holds, { numRuns: 2_000 });
});
