import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Effect } from "../../src/core/event.ts";
import { Fleet, type FleetOptions } from "../../src/core/fleet.ts";
import { createPlan } from "../../src/core/plan.ts";
import type { ServiceSpec } from "../../src/core/spec.ts";
import { needs, spec } from "./arbitrary.ts";

function fleetOf(specs: readonly ServiceSpec[], options?: FleetOptions): Fleet {
  return new Fleet(createPlan(specs), options);
}

/** Effects of one kind, by service. */
function of(effects: readonly Effect[], type: Effect["type"]): string[] {
  return effects.flatMap((effect) =>
    effect.type === type && effect.service !== undefined ? [effect.service] : [],
  );
}

const first = (service: string) => ({ service, incarnation: 1 });
const states = (fleet: Fleet) => fleet.members.map(({ state }) => state.name);

describe("Fleet coming up", () => {
  test("a dependent starts after its dependency whatever the priorities say", () => {
    const fleet = fleetOf([
      spec("api", { priority: 100, dependencies: [needs("db")] }),
      spec("db", { priority: -100 }),
    ]);
    assert.deepEqual(of(fleet.fold({ type: "boot-requested" }, 0), "launch"), ["db"]);
    assert.deepEqual(of(fleet.fold({ type: "service-launched", ...first("db") }, 1), "launch"), ["api"]);
  });

  test("equal priority starts in parallel, in registration order", () => {
    const fleet = fleetOf([spec("b"), spec("a"), spec("c")]);
    assert.deepEqual(of(fleet.fold({ type: "boot-requested" }, 0), "launch"), ["b", "a", "c"]);
  });

  test("a lower priority waits until the higher has settled", () => {
    const fleet = fleetOf([spec("low"), spec("high", { priority: 1, startupProbe: true })]);
    assert.deepEqual(of(fleet.fold({ type: "boot-requested" }, 0), "launch"), ["high"]);
    assert.deepEqual(of(fleet.fold({ type: "service-launched", ...first("high") }, 1), "launch"), []);
    const passed = fleet.fold({ type: "probe-passed", probe: "startup", ...first("high") }, 2);
    assert.deepEqual(of(passed, "launch"), ["low"]);
  });

  test("a task's dependents wait for exit code 0", () => {
    const fleet = fleetOf([
      spec("migrate", { task: true }),
      spec("api", { dependencies: [needs("migrate", "completed")] }),
    ]);
    fleet.fold({ type: "boot-requested" }, 0);
    assert.deepEqual(of(fleet.fold({ type: "service-launched", ...first("migrate") }, 1), "launch"), []);
    const exited = fleet.fold({ type: "service-exited", code: 0, signal: null, ...first("migrate") }, 2);
    assert.deepEqual(of(exited, "launch"), ["api"]);
    assert.deepEqual(states(fleet), ["completed", "starting"]);
  });

  test("a mark that comes during startup counts once it has started", () => {
    const fleet = fleetOf([spec("cache", { readiness: "manual" })]);
    fleet.fold({ type: "boot-requested" }, 0);
    fleet.fold({ type: "service-marked-ready", ...first("cache") }, 1);
    assert.deepEqual(states(fleet), ["starting"]);
    fleet.fold({ type: "service-launched", ...first("cache") }, 2);
    assert.deepEqual(states(fleet), ["ready"]);
  });

  test("boot is held, not moving, while only a mark is missing", () => {
    const fleet = fleetOf([
      spec("cache", { readiness: "manual" }),
      spec("api", { dependencies: [needs("cache")] }),
    ]);
    fleet.fold({ type: "boot-requested" }, 0);
    fleet.fold({ type: "service-launched", ...first("cache") }, 1);
    assert.equal(fleet.boot, "held");
    assert.deepEqual(of(fleet.fold({ type: "service-marked-ready", ...first("cache") }, 2), "launch"), [
      "api",
    ]);
  });

  test("an optional dependency that failed is no longer waited for", () => {
    const fleet = fleetOf([
      spec("cache", { critical: false }),
      spec("api", { dependencies: [needs("cache", "ready", false)] }),
    ]);
    fleet.fold({ type: "boot-requested" }, 0);
    const failed = fleet.fold({ type: "service-launch-failed", reason: "no", ...first("cache") }, 1);
    assert.deepEqual(of(failed, "launch"), ["api"]);
  });

  test("concurrency limits how many are starting", () => {
    const fleet = fleetOf([spec("a"), spec("b"), spec("c")], { concurrency: 2 });
    assert.deepEqual(of(fleet.fold({ type: "boot-requested" }, 0), "launch"), ["a", "b"]);
    assert.deepEqual(of(fleet.fold({ type: "service-launched", ...first("b") }, 1), "launch"), ["c"]);
  });
});

describe("Fleet going wrong", () => {
  test("a service that ends before it has started fails the startup with 1", () => {
    const fleet = fleetOf([spec("api", { startupProbe: true })]);
    fleet.fold({ type: "boot-requested" }, 0);
    fleet.fold({ type: "service-launched", ...first("api") }, 1);
    const effects = fleet.fold({ type: "service-exited", code: 7, signal: null, ...first("api") }, 2);
    const giveUp = effects.find(({ type }) => type === "give-up");
    const reason = "ended with 7 before it had started";
    assert.deepEqual(giveUp, { type: "give-up", service: "api", reason, exitCode: 1, during: "boot" });
  });

  test("a critical service takes its own code with it, a signal's as 128 + n", () => {
    for (const [code, signal, exitCode] of [
      [7, null, 7],
      [null, "SIGSEGV", 139],
      [0, null, 0],
    ] as const) {
      const fleet = fleetOf([spec("api")]);
      fleet.fold({ type: "boot-requested" }, 0);
      fleet.fold({ type: "service-launched", ...first("api") }, 1);
      const effects = fleet.fold({ type: "service-exited", code, signal, ...first("api") }, 2);
      const giveUp = effects.find((effect) => effect.type === "give-up");
      assert.equal(giveUp?.exitCode, exitCode);
    }
  });

  test("what needs a failed service is skipped, down the chain", () => {
    const fleet = fleetOf(
      [spec("a"), spec("b", { dependencies: [needs("a")] }), spec("c", { dependencies: [needs("b")] })],
      { onFailure: "continue" },
    );
    fleet.fold({ type: "boot-requested" }, 0);
    fleet.fold({ type: "service-launch-failed", reason: "no", ...first("a") }, 1);
    assert.deepEqual(states(fleet), ["failed", "skipped", "skipped"]);
    assert.equal(fleet.boot, "settled");
  });

  test("a start that overruns is stopped, and the runtime hears of it before it has stopped", () => {
    const fleet = fleetOf([spec("api", { startTimeoutMs: 500 })]);
    fleet.fold({ type: "boot-requested" }, 0);
    const effects = fleet.fold({ type: "deadline-passed", deadline: "start", ...first("api") }, 500);
    assert.deepEqual(of(effects, "stop"), ["api"]);
    assert.deepEqual(of(effects, "give-up"), ["api"]);
    fleet.fold({ type: "service-exited", code: 0, signal: null, ...first("api") }, 600);
    assert.deepEqual(states(fleet), ["failed"]);
  });

  test("the start timeout is over once a service has started: becoming ready may take longer", () => {
    const fleet = fleetOf([spec("api", { startTimeoutMs: 500, readiness: "probe" })]);
    fleet.fold({ type: "boot-requested" }, 0);
    const launched = fleet.fold({ type: "service-launched", ...first("api") }, 1);
    assert.deepEqual(of(launched, "disarm"), ["api"]);
    assert.deepEqual(fleet.fold({ type: "deadline-passed", deadline: "start", ...first("api") }, 500), []);
    fleet.fold({ type: "probe-passed", probe: "readiness", ...first("api") }, 60_000);
    assert.deepEqual(states(fleet), ["ready"]);
  });

  test("the whole start running out of time fails what starts and skips what waits", () => {
    const fleet = fleetOf([spec("db", { readiness: "probe" }), spec("api", { dependencies: [needs("db")] })]);
    fleet.fold({ type: "boot-requested" }, 0);
    fleet.fold({ type: "service-launched", ...first("db") }, 1);
    const effects = fleet.fold({ type: "startup-timed-out", timeoutMs: 60_000 }, 60_000);
    assert.deepEqual(states(fleet), ["started", "skipped"]);
    const giveUp = effects.find((effect) => effect.type === "give-up");
    assert.equal(
      giveUp?.reason,
      "waits for 'db' to be ready, which did not come within runtime.startup.timeout of 60s",
    );
  });

  test("an event of another incarnation is dropped", () => {
    const fleet = fleetOf([spec("api")]);
    fleet.fold({ type: "boot-requested" }, 0);
    assert.deepEqual(fleet.fold({ type: "service-launched", service: "api", incarnation: 2 }, 1), []);
    assert.deepEqual(
      fleet.fold({ type: "service-exited", service: "api", incarnation: 0, code: 1, signal: null }, 2),
      [],
    );
    assert.deepEqual(states(fleet), ["starting"]);
  });

  test("a config of tasks alone ends with 0 when all are done", () => {
    const fleet = fleetOf([spec("a", { task: true }), spec("b", { task: true })]);
    fleet.fold({ type: "boot-requested" }, 0);
    fleet.fold({ type: "service-exited", code: 0, signal: null, ...first("a") }, 1);
    const effects = fleet.fold({ type: "service-exited", code: 0, signal: null, ...first("b") }, 2);
    assert.equal(effects.find((effect) => effect.type === "give-up")?.exitCode, 0);
  });
});

describe("Fleet going down", () => {
  test("a service is asked to stop when all that depend on it have stopped", () => {
    const fleet = fleetOf([spec("db"), spec("api", { dependencies: [needs("db")] })]);
    fleet.fold({ type: "boot-requested" }, 0);
    fleet.fold({ type: "service-launched", ...first("db") }, 1);
    fleet.fold({ type: "service-launched", ...first("api") }, 2);
    assert.deepEqual(of(fleet.fold({ type: "stop-requested" }, 3), "stop"), ["api"]);
    const exited = fleet.fold({ type: "service-exited", code: 0, signal: null, ...first("api") }, 4);
    assert.deepEqual(of(exited, "stop"), ["db"]);
    fleet.fold({ type: "service-exited", code: null, signal: "SIGTERM", ...first("db") }, 5);
    assert.deepEqual(states(fleet), ["stopped", "stopped"]);
    assert.equal(fleet.ended, true);
  });

  test("a stop that overruns is killed and remembered as late", () => {
    const fleet = fleetOf([spec("db", { stopTimeoutMs: 4_000 })]);
    fleet.fold({ type: "boot-requested" }, 0);
    fleet.fold({ type: "service-launched", ...first("db") }, 1);
    fleet.fold({ type: "stop-requested" }, 10);
    assert.deepEqual(
      of(fleet.fold({ type: "deadline-passed", deadline: "stop", ...first("db") }, 4_010), "kill"),
      ["db"],
    );
    assert.equal(fleet.member("db")?.lateMs, 4_000);
  });

  test("what is still starting is stopped too, and nothing starts any more", () => {
    const fleet = fleetOf([spec("db"), spec("api", { dependencies: [needs("db")] })]);
    fleet.fold({ type: "boot-requested" }, 0);
    assert.deepEqual(of(fleet.fold({ type: "stop-requested" }, 1), "stop"), ["db"]);
    assert.deepEqual(of(fleet.fold({ type: "service-launched", ...first("db") }, 2), "launch"), []);
    assert.deepEqual(states(fleet), ["stopping", "stopped"]);
  });
});
