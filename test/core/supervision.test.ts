import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { called, dependentsOf, withNeeds } from "../../src/core/selection.ts";
import { needs, spec } from "./arbitrary.ts";
import { restart, type Told, world } from "./world.ts";

describe("Fleet restarting", () => {
  test("the first restart is immediate, the second waits for its backoff", () => {
    const { boot, exit, up, about, state, launches } = world([spec("api", restart())]);
    boot("api");
    exit("api", 3, 100);
    assert.deepEqual([state("api"), launches("api")], ["starting", 2]);
    up("api");
    exit("api", 3, 200);
    assert.deepEqual([state("api"), launches("api")], ["backoff", 2]);
    about({ type: "deadline-passed", deadline: "backoff", service: "api" } as Told, 300);
    assert.deepEqual([state("api"), launches("api")], ["starting", 3]);
  });

  test("beyond the limit it has failed, and a critical service leaves with its own code", () => {
    const { boot, exit, up, state, gaveUp } = world([
      spec("api", restart({ limit: { count: 1, windowMs: 60_000 } })),
    ]);
    boot("api");
    exit("api", 3, 100);
    up("api");
    exit("api", 3, 200);
    assert.equal(state("api"), "failed");
    const reason = "ended with 3; restarted once within 60s";
    assert.deepEqual(gaveUp(), { type: "give-up", service: "api", reason, exitCode: 3, during: "run" });
  });

  test("during boot the policy holds, and its exhaustion fails the start with 1", () => {
    const { tell, exit, gaveUp, fleet } = world([
      spec("api", { ...restart({ limit: { count: 1, windowMs: 60_000 } }), startupProbe: true }),
      spec("web", { dependencies: [needs("api")] }),
    ]);
    tell({ type: "boot-requested" });
    exit("api", 3);
    assert.equal(fleet.boot, "moving");
    assert.equal(gaveUp(), undefined);
    exit("api", 3);
    assert.equal(gaveUp()?.exitCode, 1);
    assert.equal(gaveUp()?.during, "boot");
  });

  test("a service of lower priority starts when the higher one is in its first backoff", () => {
    const { tell, exit, state } = world([
      spec("low"),
      spec("high", { ...restart(), priority: 1, startupProbe: true }),
    ]);
    tell({ type: "boot-requested" });
    exit("high", 1);
    exit("high", 1);
    assert.deepEqual([state("high"), state("low")], ["backoff", "starting"]);
  });

  test("one that is not critical only degrades; always restarts after 0, too", () => {
    const { boot, exit, state, gaveUp } = world([
      spec("a", { critical: false }),
      spec("b", restart({ policy: "always" })),
    ]);
    boot("a", "b");
    exit("a", 1);
    exit("b", 0);
    assert.deepEqual([state("a"), state("b"), gaveUp()], ["failed", "starting", undefined]);
  });

  test("a restart awaits its dependencies again, completed tasks excepted", () => {
    const { boot, exit, up, state } = world([
      spec("migrate", { task: true }),
      spec("db", restart()),
      spec("api", { ...restart(), dependencies: [needs("db"), needs("migrate", "completed")] }),
    ]);
    boot("db");
    exit("migrate", 0);
    up("api");
    exit("db", 1);
    exit("api", 1);
    assert.deepEqual([state("db"), state("api")], ["starting", "pending"]);
    up("db");
    assert.equal(state("api"), "starting");
  });

  test("a dependency that comes back restarts those that ask for it, and no others", () => {
    const { boot, exit, up, state, effects } = world([
      spec("db", restart()),
      spec("api", { dependencies: [{ ...needs("db"), restart: true }] }),
      spec("web", { dependencies: [needs("db")] }),
    ]);
    boot("db", "api", "web");
    exit("db", 1);
    assert.deepEqual([state("api"), state("web")], ["ready", "ready"]);
    up("db");
    assert.deepEqual([state("api"), state("web")], ["stopping", "ready"]);
    exit("api", 0);
    assert.equal(state("api"), "starting");
    up("api");
    assert.equal(effects.filter(({ type }) => type === "stop").length, 1);
  });

  test("one that an operator starts and that has never been up fails by itself, with what needs it", () => {
    const { boot, tell, exit, up, state, gaveUp } = world([
      spec("web"),
      spec("db", { startupProbe: true }),
      spec("api", { dependencies: [needs("db")] }),
    ]);
    boot("web");
    tell({ type: "hold-requested", services: ["db", "api"] });
    exit("db", 0);
    assert.deepEqual([state("db"), state("api")], ["stopped", "stopped"]);
    tell({ type: "start-requested", services: ["db", "api"] });
    exit("db", 1);
    assert.deepEqual([state("web"), state("db"), state("api")], ["ready", "failed", "skipped"]);
    assert.equal(gaveUp(), undefined);
    // Of one that has been up the runtime hears as ever.
    up("web");
    exit("web", 1);
    assert.equal(gaveUp()?.service, "web");
  });

  /** Three replicas of `db`, and `api`, which restarts with them. */
  function withReplicas(condition: "started" | "ready") {
    const names = ["db-1", "db-2", "db-3"];
    const dependency = { ...needs("db", condition), restart: true };
    return world([
      ...names.map((name) => spec(name, { ...restart(), group: "db" })),
      spec("api", { dependencies: [dependency] }),
    ]);
  }

  test("one of several replicas that comes back restarts nobody while another is ready", () => {
    const { boot, exit, up, state, about } = withReplicas("ready");
    boot("db-1", "db-2", "db-3", "api");
    exit("db-1", 1);
    up("db-1");
    assert.equal(state("api"), "ready");
    // Not ready for a while is not gone.
    for (const service of ["db-1", "db-2", "db-3"])
      about({ type: "probe-failed", probe: "readiness", reason: "no", service } as Told);
    about({ type: "probe-passed", probe: "readiness", service: "db-2" } as Told);
    assert.equal(state("api"), "ready");
  });

  test("when all replicas have gone, the first that is back restarts those that ask for it, once", () => {
    const { boot, exit, up, state, launches } = withReplicas("ready");
    boot("db-1", "db-2", "db-3", "api");
    for (const name of ["db-1", "db-2", "db-3"]) exit(name, 1);
    up("db-2");
    assert.equal(state("api"), "stopping");
    exit("api", 0);
    up("api", "db-1", "db-3");
    assert.deepEqual([state("api"), launches("api")], ["ready", 2]);
  });

  test("where all replicas have to be started, the last that is back restarts it, once", () => {
    const { boot, exit, up, state, launches } = withReplicas("started");
    boot("db-1", "db-2", "db-3", "api");
    for (const name of ["db-1", "db-2", "db-3"]) exit(name, 1);
    up("db-2", "db-1");
    assert.equal(state("api"), "ready");
    up("db-3");
    assert.equal(state("api"), "stopping");
    exit("api", 0);
    up("api");
    assert.deepEqual([state("api"), launches("api")], ["ready", 2]);
  });

  test("a failing liveness probe stops it and the policy brings it back; without a policy it has failed", () => {
    const { boot, about, exit, state, gaveUp, launches } = world([
      spec("api", { ...restart(), livenessProbe: true }),
      spec("web", { livenessProbe: true }),
    ]);
    boot("api", "web");
    about({ type: "probe-failed", probe: "liveness", reason: "no answer", service: "api" } as Told);
    assert.equal(state("api"), "stopping");
    exit("api", 0);
    assert.deepEqual([state("api"), launches("api"), gaveUp()], ["starting", 2, undefined]);
    about({ type: "probe-failed", probe: "liveness", reason: "no answer", service: "web" } as Told);
    assert.equal(gaveUp()?.reason, "liveness probe fails: no answer");
  });

  test("a shutdown that comes while it is stopped for its liveness leaves it stopped, not failed", () => {
    const { boot, about, tell, exit, state } = world([spec("api", { ...restart(), livenessProbe: true })]);
    boot("api");
    about({ type: "probe-failed", probe: "liveness", reason: "no", service: "api" } as Told);
    tell({ type: "stop-requested" });
    exit("api", 0);
    assert.equal(state("api"), "stopped");
  });

  test("a module that overruns its shutdown has failed and is not replaced", () => {
    const { boot, about, state, launches, gaveUp } = world([
      spec("api", { ...restart(), livenessProbe: true, inProcess: true }),
    ]);
    boot("api");
    about({ type: "probe-failed", probe: "liveness", reason: "no", service: "api" } as Told, 10);
    about({ type: "deadline-passed", deadline: "stop", service: "api" } as Told, 5_010);
    about({
      type: "service-exited",
      code: 1,
      signal: null,
      reason: "abandoned in shutdown()",
      service: "api",
    } as Told);
    assert.deepEqual([state("api"), launches("api")], ["failed", 1]);
    assert.equal(gaveUp()?.exitCode, 1);
  });

  test("a critical service with replicas fails when all of them have", () => {
    const replicas = ["api-1", "api-2"].map((name) => spec(name, { group: "api" }));
    const { boot, exit, gaveUp } = world(replicas);
    boot("api-1", "api-2");
    exit("api-1", 3);
    assert.equal(gaveUp(), undefined);
    exit("api-2", 4);
    assert.equal(gaveUp()?.exitCode, 4);
  });

  test("a dependency on replicas takes one that is ready, or all that are started", () => {
    const replicas = ["db-1", "db-2"].map((name) => spec(name, { group: "db" }));
    const { boot, up, state } = world([
      ...replicas,
      spec("one", { dependencies: [needs("db")] }),
      spec("all", { dependencies: [needs("db", "started")] }),
    ]);
    boot("db-2");
    assert.deepEqual([state("one"), state("all")], ["starting", "pending"]);
    up("db-1");
    assert.equal(state("all"), "starting");
  });
});

describe("Fleet taking orders", () => {
  const stack = [
    spec("db"),
    spec("api", { dependencies: [needs("db")] }),
    spec("web", { dependencies: [needs("api")] }),
  ];

  test("a stop with all dependents goes down in reverse, stays so, and ends nothing", () => {
    const { fleet, boot, tell, exit, state, gaveUp } = world(stack);
    boot("db", "api", "web");
    const db = called(fleet, "db");
    assert.deepEqual(dependentsOf(fleet, db), ["web", "api"]);
    tell({ type: "hold-requested", services: ["web", "api", "db"] });
    assert.deepEqual(["db", "api", "web"].map(state), ["ready", "ready", "stopping"]);
    exit("web", 0);
    exit("api", 0);
    exit("db", 1);
    assert.deepEqual(["db", "api", "web"].map(state), ["stopped", "stopped", "stopped"]);
    assert.equal(gaveUp(), undefined);
    assert.deepEqual(withNeeds(fleet, called(fleet, "web")), ["db", "api", "web"]);
    tell({ type: "start-requested", services: ["db", "api", "web"] });
    assert.deepEqual(["db", "api", "web"].map(state), ["starting", "pending", "pending"]);
  });

  test("a restart with all dependents takes everything down first", () => {
    const { boot, tell, exit, up, state } = world(stack);
    boot("db", "api", "web");
    tell({ type: "restart-requested", services: ["web", "api", "db"] });
    exit("web", 0);
    assert.deepEqual(["db", "api", "web"].map(state), ["ready", "stopping", "pending"]);
    exit("api", 0);
    exit("db", 0);
    up("db");
    up("api");
    assert.deepEqual(["db", "api", "web"].map(state), ["ready", "ready", "starting"]);
  });

  test("an order given while it waits, backs off or stops is followed", () => {
    const { boot, tell, exit, up, state } = world([spec("api", restart())]);
    boot("api");
    exit("api", 1, 1);
    up("api");
    exit("api", 1, 2);
    assert.equal(state("api"), "backoff");
    tell({ type: "start-requested", services: ["api"] });
    assert.equal(state("api"), "starting");
    tell({ type: "hold-requested", services: ["api"] });
    tell({ type: "start-requested", services: ["api"] });
    exit("api", 0);
    assert.equal(state("api"), "starting");
  });

  test("a runtime that stops starts nothing any more, whatever is asked", () => {
    const { boot, tell, exit, state } = world([spec("api", restart())]);
    boot("api");
    tell({ type: "restart-requested", services: ["api"] });
    tell({ type: "stop-requested" });
    tell({ type: "start-requested", services: ["api"] });
    exit("api", 1);
    assert.equal(state("api"), "stopped");
  });

  test("a fleet that takes over goes on with what runs and begins anew with what is fresh", () => {
    const old = world([spec("db"), spec("api", { dependencies: [needs("db")] }), spec("gone")]);
    old.boot("db", "api", "gone");
    old.tell({ type: "hold-requested", services: ["api", "gone"] });
    old.exit("api", 0);
    old.exit("gone", 0);
    const next = world([spec("db"), spec("api", { dependencies: [needs("db")] }), spec("more")]);
    next.fleet.takeOver(old.fleet, new Set(["api"]));
    next.tell({ type: "start-requested", services: ["api", "more"] });
    assert.deepEqual(["db", "api", "more"].map(next.state), ["ready", "starting", "starting"]);
    assert.equal(next.fleet.member("api")?.incarnation, 2);
    next.tell({ type: "stop-requested" });
    assert.deepEqual(["db", "api", "more"].map(next.state), ["ready", "stopping", "stopping"]);
  });
});

describe("Fleet of tasks alone", () => {
  test("is over when all are, with 1 when a critical one has failed and the rest went on", () => {
    const tasks = [spec("a", { task: true }), spec("b", { task: true, critical: false })];
    for (const [a, b, exitCode] of [
      [0, 3, 0],
      [3, 0, 1],
    ] as const) {
      const { tell, exit, gaveUp } = world(tasks, { onFailure: "continue" });
      tell({ type: "boot-requested" });
      exit("a", a);
      assert.equal(gaveUp(), undefined);
      exit("b", b);
      assert.equal(gaveUp()?.exitCode, exitCode);
    }
  });
});

describe("Fleet with schedules", () => {
  const task = (overlap: "skip" | "queue" | "replace") =>
    spec("job", { task: true, critical: false, schedule: { overlap } });
  const due = { type: "schedule-came-due", service: "job" } as const;

  test("a scheduled task is outside boot, runs when due, and again", () => {
    const { fleet, boot, tell, exit, state, launches } = world([spec("api"), task("skip")]);
    boot("api");
    assert.equal(fleet.boot, "settled");
    assert.equal(state("job"), "pending");
    tell(due);
    exit("job", 0);
    assert.equal(state("job"), "completed");
    tell(due);
    exit("job", 7);
    assert.equal(state("job"), "failed");
    tell(due);
    assert.deepEqual([state("job"), launches("job")], ["starting", 3]);
  });

  test("due while it runs: skipped, queued, or replaced", () => {
    for (const [overlap, ends] of [
      ["skip", ["starting", "completed", 1]],
      ["queue", ["starting", "starting", 2]],
      ["replace", ["stopping", "starting", 2]],
    ] as const) {
      const { boot, tell, exit, state, launches } = world([spec("api"), task(overlap)]);
      boot("api");
      tell(due);
      tell(due);
      const during = state("job");
      exit("job", 0);
      assert.deepEqual([during, state("job"), launches("job")], ends, overlap);
    }
  });
});

describe("Fleet that endures", () => {
  test("neither what fails, nor what ends with 0, nor tasks that are all done end it", () => {
    const { boot, exit, state, gaveUp, tell } = world(
      [spec("a"), spec("b", { dependencies: [needs("a")] })],
      {
        endures: true,
      },
    );
    boot("a", "b");
    exit("a", 3);
    exit("b", 0);
    assert.deepEqual([state("a"), state("b"), gaveUp()], ["failed", "stopped", undefined]);
    tell({ type: "start-requested", services: ["a"] });
    assert.equal(state("a"), "starting");

    const tasks = world([spec("once", { task: true })], { endures: true });
    tasks.boot("once");
    tasks.exit("once", 0);
    assert.deepEqual([tasks.state("once"), tasks.gaveUp()], ["completed", undefined]);
  });

  test("a service that never came up does not end it, and what needs it is skipped", () => {
    const { boot, exit, state, gaveUp, fleet } = world(
      [spec("a"), spec("b", { dependencies: [needs("a")] })],
      { endures: true },
    );
    boot();
    exit("a", 1);
    assert.deepEqual([state("a"), state("b"), gaveUp()], ["failed", "skipped", undefined]);
    assert.equal(fleet.boot, "settled");
  });
});
