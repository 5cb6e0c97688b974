// What the simulation of faults, or a second look, has found in the core. Each was wrong once.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { blockersOf } from "../../src/core/blockers.ts";
import type { Fleet } from "../../src/core/fleet.ts";
import { called, dependentsOf, withNeeds } from "../../src/core/selection.ts";
import { createSnapshot } from "../../src/core/snapshot.ts";
import { needs, spec } from "./arbitrary.ts";
import { restart, type Told, world } from "./world.ts";

const liveness = (service: string) =>
  ({ type: "probe-failed", probe: "liveness", reason: "no", service }) as Told;
const deadline = (service: string, which: "start" | "stop" | "backoff") =>
  ({ type: "deadline-passed", deadline: which, service }) as Told;
const abandoned = (service: string) =>
  ({ type: "service-exited", code: 1, signal: null, reason: "abandoned in shutdown()", service }) as Told;
const snapshot = (fleet: Fleet) =>
  createSnapshot(fleet, { state: "started", stateSinceMs: 0, started: true, wallOffsetMs: 0 });

describe("Fleet booting", () => {
  test("a boot is not over while a module's own check has not passed and another waits for it", () => {
    const { fleet, tell, about } = world([spec("db"), spec("api", { dependencies: [needs("db")] })]);
    tell({ type: "boot-requested" });
    about({ type: "service-launched", service: "db", health: true } as Told);
    assert.equal(fleet.boot, "moving");
  });

  test("a boot is not over while what others wait for stops to be started again", () => {
    const { fleet, tell, about } = world([
      spec("db", restart()),
      spec("api", { dependencies: [needs("db")] }),
    ]);
    tell({ type: "boot-requested" });
    about(deadline("db", "start"));
    assert.equal(fleet.boot, "moving");
  });

  test("the startup timeout is the end of what backs off, or stops to be started again", () => {
    const timeout = { type: "startup-timed-out", timeoutMs: 60_000 } as const;
    const backingOff = world([spec("api", { ...restart(), startupProbe: true })]);
    backingOff.tell({ type: "boot-requested" });
    backingOff.exit("api");
    backingOff.exit("api");
    backingOff.tell(timeout);
    assert.deepEqual([backingOff.state("api"), backingOff.gaveUp()?.exitCode], ["failed", 1]);
    const stopping = world([spec("api", restart())]);
    stopping.tell({ type: "boot-requested" });
    stopping.about(deadline("api", "start"));
    stopping.tell(timeout);
    assert.equal(stopping.gaveUp()?.exitCode, 1);
    stopping.exit("api", 0);
    assert.deepEqual([stopping.state("api"), stopping.launches("api")], ["failed", 1]);
  });

  test("a boot that has failed, or is cancelled, starts nothing more", () => {
    const specs = () => [spec("bad", { priority: 1 }), spec("good"), spec("back", restart({}))];
    const failed = world(specs());
    failed.tell({ type: "boot-requested" });
    failed.exit("bad");
    assert.deepEqual([failed.gaveUp()?.service, failed.launches("good")], ["bad", 0]);
    const cancelled = world(specs());
    cancelled.tell({ type: "boot-requested" });
    cancelled.tell({ type: "boot-cancelled" });
    cancelled.up("bad");
    assert.equal(cancelled.launches("good"), 0);
    assert.equal(cancelled.fleet.boot, "idle");
  });

  test("what waits for a higher priority says for whom, down the chain", () => {
    const { fleet, boot, tell, exit } = world([
      spec("db", { priority: 1 }),
      spec("api", { priority: 1, dependencies: [needs("db")] }),
      spec("low"),
    ]);
    boot();
    tell({ type: "hold-requested", services: ["db"] });
    exit("db", 0);
    const low = fleet.member("low");
    assert.ok(low);
    assert.deepEqual(
      blockersOf(low, { fleet, wallOffsetMs: 0 }).map(({ service, reason }) => `${service} ${reason}`),
      [
        "low waits for 'api', which has a higher priority",
        "api waits for 'db' to be ready",
        "db was stopped",
      ],
    );
  });

  test("what is about to stop is nothing to build upon, not even for one that stands in line", () => {
    const { boot, tell, up, exit, state } = world(
      [
        spec("db"),
        spec("web", { dependencies: [needs("db")] }),
        spec("slow", { dependencies: [needs("db")] }),
        spec("api", { dependencies: [needs("db")] }),
      ],
      { concurrency: 1 },
    );
    boot("db", "web");
    assert.deepEqual([state("slow"), state("api")], ["starting", "pending"]);
    tell({ type: "restart-requested", services: ["web", "db"] });
    up("slow");
    assert.deepEqual([state("web"), state("db"), state("api")], ["stopping", "ready", "pending"]);
    exit("web", 0);
    assert.deepEqual([state("db"), state("api")], ["stopping", "pending"]);
  });

  test("a config of tasks is not done while one is still to come", () => {
    const { boot, tell, exit, gaveUp } = world([
      spec("a", { task: true, ...restart() }),
      spec("b", { task: true }),
    ]);
    boot();
    exit("a", 0);
    tell({ type: "restart-requested", services: ["a"] });
    exit("a", 1);
    exit("a", 1);
    exit("b", 0);
    assert.equal(gaveUp(), undefined);
  });
});

describe("Fleet holding", () => {
  const job = spec("job", { task: true, critical: false, schedule: { overlap: "queue" } });
  const due = { type: "schedule-came-due", service: "job" } as const;

  test("a scheduled task that is held does not run when it is due, whatever it did before", () => {
    for (const before of ["nothing", "queued", "done"]) {
      const { boot, tell, exit, up, state, launches } = world([spec("api"), job]);
      boot("api");
      if (before !== "nothing") tell(due);
      if (before === "queued") tell(due);
      if (before === "done") exit("job", 0);
      tell({ type: "hold-requested", services: ["job"] });
      if (before === "queued") exit("job", 0);
      tell(due);
      assert.deepEqual([state("job"), launches("job")], ["stopped", before === "nothing" ? 0 : 1], before);
      tell({ type: "start-requested", services: ["job"] });
      up("job");
      assert.equal(state("job"), "starting");
    }
  });

  test("one that waits for its turn to stop stays down, whatever happens until then", () => {
    const stack = () => [
      spec("cache", restart()),
      spec("db", { ...restart(), livenessProbe: true, dependencies: [{ ...needs("cache"), restart: true }] }),
      spec("api", { dependencies: [needs("db")] }),
    ];
    const happens: Record<string, (at: ReturnType<typeof world>) => void> = {
      "it crashes": ({ exit }) => exit("db", 1),
      "its liveness fails": ({ about, exit }) => {
        about(liveness("db"));
        exit("db", 0);
      },
      "what it needs comes back": ({ exit, up }) => {
        exit("cache", 1);
        up("cache");
        exit("api", 0);
        exit("db", 0);
      },
    };
    for (const [what, happen] of Object.entries(happens)) {
      const at = world(stack());
      at.boot("cache", "db", "api");
      at.tell({ type: "hold-requested", services: ["api", "db"] });
      assert.equal(at.state("db"), "ready");
      happen(at);
      assert.deepEqual([at.state("db"), at.launches("db"), at.gaveUp()], ["stopped", 1, undefined], what);
    }
  });

  test("one that is to restart and ends before its turn starts again, and ends nothing", () => {
    const { boot, tell, exit, state, gaveUp } = world([
      spec("db"),
      spec("api", { dependencies: [needs("db")] }),
    ]);
    boot("db", "api");
    tell({ type: "restart-requested", services: ["api", "db"] });
    exit("db", 1);
    assert.deepEqual([state("db"), gaveUp()], ["starting", undefined]);
  });

  test("a start takes back a stop whose turn has not come", () => {
    const { boot, tell, exit, state } = world([spec("db"), spec("api", { dependencies: [needs("db")] })]);
    boot("db", "api");
    tell({ type: "hold-requested", services: ["api", "db"] });
    tell({ type: "start-requested", services: ["db"] });
    exit("api", 0);
    exit("db", 0);
    assert.deepEqual([state("db"), state("api")], ["starting", "stopped"]);
  });

  test("a start takes along what goes down, and what something that waits is waiting for", () => {
    const { fleet, boot, tell, exit } = world([
      spec("cache"),
      spec("db", { dependencies: [needs("cache")] }),
      spec("api", { dependencies: [needs("db")], critical: false }),
    ]);
    boot("cache", "db", "api");
    tell({ type: "hold-requested", services: ["api", "db"] });
    assert.deepEqual(withNeeds(fleet, called(fleet, "api")), ["db", "api"]);
    exit("api", 0);
    exit("db", 0);
    tell({ type: "hold-requested", services: ["cache"] });
    exit("cache", 0);
    tell({ type: "restart-requested", services: ["db"] });
    assert.deepEqual(withNeeds(fleet, called(fleet, "api")), ["cache", "api"]);
  });

  test("a fleet that takes over goes on to stop what was to stop", () => {
    const specs = [spec("db"), spec("api", { dependencies: [needs("db")] })];
    const old = world(specs);
    old.boot("db", "api");
    old.tell({ type: "hold-requested", services: ["api", "db"] });
    const next = world(specs);
    next.fleet.takeOver(old.fleet, new Set());
    next.exit("api", 0);
    assert.deepEqual([next.state("api"), next.state("db")], ["stopped", "stopping"]);
  });
});

describe("Fleet giving up", () => {
  const module = () => spec("api", { ...restart(), livenessProbe: true, inProcess: true });
  const abandon = (at: ReturnType<typeof world>) => {
    at.tell({ type: "hold-requested", services: ["api"] });
    at.about(deadline("api", "stop"));
    at.about(abandoned("api"));
  };

  test("a module that was abandoned is never started again, not by an order, a reload or its schedule", () => {
    const at = world([module()]);
    at.boot("api");
    abandon(at);
    assert.deepEqual([at.state("api"), at.gaveUp()], ["failed", undefined]);
    assert.equal(snapshot(at.fleet).ready, false);
    const next = world([module()]);
    next.fleet.takeOver(at.fleet, new Set(["api"]));
    next.tell({ type: "start-requested", services: ["api"] });
    assert.deepEqual([next.state("api"), next.launches("api"), next.gaveUp()?.exitCode], ["failed", 0, 1]);
    const removed = world([spec("db")]);
    removed.fleet.takeOver(at.fleet, new Set());
    const again = world([module()]);
    again.fleet.takeOver(removed.fleet, new Set(["api"]));
    again.tell({ type: "start-requested", services: ["api"] });
    assert.deepEqual([again.state("api"), again.launches("api")], ["skipped", 0]);
  });

  test("a critical one that waits in vain for what it needs leaves with its own code", () => {
    const specs = [
      spec("db", { critical: false }),
      spec("api", { ...restart(), dependencies: [needs("db")] }),
    ];
    const { boot, exit, up, state, gaveUp } = world(specs);
    boot("db");
    up("api");
    exit("db", 1);
    assert.deepEqual([state("api"), gaveUp()], ["ready", undefined], "it goes on without");
    exit("api", 7);
    const reason = "needs 'db', which failed";
    assert.deepEqual(gaveUp(), { type: "give-up", service: "api", reason, exitCode: 7, during: "run" });
    assert.equal(state("api"), "skipped");
    // Of one that is started again for another reason there is no code to leave with.
    const other = world(specs);
    other.boot("db");
    other.up("api");
    other.exit("db", 1);
    other.tell({ type: "restart-requested", services: ["api"] });
    other.exit("api", 0);
    assert.equal(other.gaveUp()?.exitCode, 1);
  });

  test("what runs is not restarted for a dependency that has come back where it would not come up again", () => {
    const dependencies = [{ ...needs("db"), restart: true }, needs("cache")];
    const specs = [spec("db", restart()), spec("cache", { critical: false }), spec("api", { dependencies })];
    const { boot, up, exit, tell, state, launches, gaveUp } = world(specs);
    boot("db", "cache");
    up("api");
    exit("cache", 1);
    exit("db", 1);
    up("db");
    assert.deepEqual([state("db"), state("api"), gaveUp()], ["ready", "ready", undefined]);
    tell({ type: "start-requested", services: ["cache"] });
    up("cache");
    exit("db", 1, 100_000);
    up("db");
    exit("api", 0);
    assert.deepEqual([state("api"), launches("api")], ["starting", 2]);
  });

  test("one that ended by itself while it was being abandoned may start again", () => {
    const at = world([module()]);
    at.boot("api");
    at.about(liveness("api"));
    at.about(deadline("api", "stop"));
    at.exit("api", 0);
    assert.equal(at.state("api"), "starting");
  });

  test("what is killed without being asked is not asked afterwards, and is named as late", () => {
    const { fleet, boot, tell, effects } = world([spec("db"), spec("api", { dependencies: [needs("db")] })]);
    boot("db", "api");
    tell({ type: "kill-requested" });
    const asked = effects.flatMap((effect) =>
      effect.type === "stop" || effect.type === "kill" ? [effect.type] : [],
    );
    assert.deepEqual(asked, ["kill", "kill"]);
    assert.deepEqual(
      fleet.members.map(({ lateMs }) => lateMs),
      [0, 0],
    );
  });

  test("one replica of several is needed by nobody while another is ready, and who needs all loses it", () => {
    const replicas = ["w-1", "w-2"].map((name) => spec(name, { group: "w" }));
    const all = { ...needs("w"), condition: "started" as const };
    const { fleet, boot, up, tell } = world([
      ...replicas,
      spec("one", { dependencies: [needs("w")] }),
      spec("both", { dependencies: [all] }),
    ]);
    boot("w-1", "w-2");
    up("one", "both");
    const losing = (name: string) => dependentsOf(fleet, called(fleet, name));
    assert.deepEqual([losing("w-1"), losing("w")], [["both"], ["one", "both"]]);
    tell({ type: "hold-requested", services: ["w-2"] });
    assert.deepEqual(losing("w-1"), ["one", "both"], "the other one goes");
  });

  test("a replica that is on its way out replaces nobody", () => {
    const replicas = ["api-1", "api-2"].map((name) => spec(name, { group: "api", livenessProbe: true }));
    const { boot, about, exit, gaveUp } = world(replicas);
    boot("api-1", "api-2");
    about(liveness("api-1"));
    assert.equal(gaveUp(), undefined);
    about(liveness("api-2"));
    assert.equal(gaveUp()?.service, "api-2");
    exit("api-1", 0);
  });

  test("replicas of which one has been up are not done without", () => {
    const replicas = ["api-1", "api-2"].map((name) => spec(name, { group: "api" }));
    const { boot, exit, gaveUp } = world(replicas, { onFailure: "continue" });
    boot("api-1");
    exit("api-1", 1);
    exit("api-2", 1);
    assert.equal(gaveUp()?.exitCode, 1);
  });

  test("a critical replica that has stopped does not block readiness while another is there", () => {
    const replicas = ["api-1", "api-2"].map((name) => spec(name, { group: "api" }));
    const { fleet, boot, exit } = world(replicas);
    boot("api-1", "api-2");
    exit("api-1", 0);
    assert.equal(snapshot(fleet).ready, true);
  });
});
