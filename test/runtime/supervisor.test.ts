import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Companion } from "../../src/ports/companion.ts";
import type { Gate } from "../../src/ports/gate.ts";
import { needs } from "../core/arbitrary.ts";
import { fast, service, supervised } from "./rig.ts";

describe("Supervisor", () => {
  test("of a launch it tells what happened, and nothing that is between it and the launcher", async () => {
    const { supervisor, events } = supervised();
    const [web, job] = [service("web", {}, { obliging: false }), service("job", {}, { obliging: false })];
    void supervisor.run([web, job]).catch(() => {});
    web.launcher.report({ type: "launched", pid: 7, manual: false, health: true });
    job.launcher.report({ type: "failed", reason: "boom", stack: "Error: boom\n    at job.ts:1:2" });
    const told = events.filter(({ type }) => type.startsWith("service-launch"));
    assert.deepEqual(
      told.map(({ atMs: _atMs, ...event }) => event),
      [
        { type: "service-launched", service: "web", incarnation: 1, pid: 7 },
        {
          type: "service-launch-failed",
          service: "job",
          incarnation: 1,
          reason: "boom",
          stack: "Error: boom\n    at job.ts:1:2",
        },
      ],
    );
  });

  test("a critical service's end ends the runtime with its code, after the others have stopped", async () => {
    const { supervisor } = supervised();
    const [db, api] = [service("db"), service("api", { dependencies: [needs("db")] })];
    await supervisor.run([db, api]);
    api.launcher.report(fast(7));
    const { exitCode, reason } = await supervisor.ended;
    assert.equal(exitCode, 7);
    assert.equal(reason, "'api' ended with 7 and is critical: stopping");
    assert.deepEqual(db.launcher.calls, ["launch 1", "stop 1"]);
  });

  test("a critical service that ends with 0 says what to write instead", async () => {
    const { supervisor } = supervised();
    const worker = service("worker");
    await supervisor.run([worker]);
    worker.launcher.report(fast(0));
    const { exitCode, reason } = await supervisor.ended;
    assert.equal(exitCode, 0);
    assert.equal(
      reason,
      "`worker` ended with 0 and is critical: stopping. If it should end: `kind: task`; if others may go on: `critical: false`",
    );
  });

  test("a signal during startup cancels it, rolls back and leaves with 128 + n", async () => {
    const { supervisor, clock } = supervised();
    const slow = service("slow", {}, { obliging: false });
    const running = assert.rejects(supervisor.run([slow]), { name: "StartupError", exitCode: 143 });
    supervisor.onSignal("SIGTERM");
    await clock.advance(0);
    assert.deepEqual(slow.launcher.calls, ["launch 1", "stop 1"]);
    slow.launcher.report(fast(0));
    assert.equal((await supervisor.ended).exitCode, 143);
    await running;
  });

  test("a second signal within 100 ms is the same request, a later one forces", async () => {
    const { supervisor, clock } = supervised();
    const db = service("db", {}, { obliging: false });
    const running = supervisor.run([db]);
    db.launcher.report({ type: "launched", pid: 1 });
    await running;
    supervisor.onSignal("SIGINT");
    await clock.advance(100);
    supervisor.onSignal("SIGINT");
    assert.deepEqual(db.launcher.calls, ["launch 1", "stop 1"]);
    await clock.advance(1);
    supervisor.onSignal("SIGINT");
    const { exitCode, forced } = await supervisor.ended;
    assert.deepEqual({ exitCode, forced }, { exitCode: 130, forced: true });
    assert.deepEqual(db.launcher.calls, ["launch 1", "stop 1", "kill 1"]);
  });

  test("what does not stop in time is killed and named, which is still a clean end", async () => {
    const { supervisor, clock } = supervised();
    const db = service("db", { stopTimeoutMs: 4_000 }, { obliging: false });
    const running = supervisor.run([db]);
    db.launcher.report({ type: "launched", pid: 1 });
    await running;
    const ending = supervisor.shutdown();
    await clock.advance(4_000);
    const { exitCode, stages } = await ending;
    assert.equal(exitCode, 0);
    assert.deepEqual(stages.find(({ stage }) => stage === "services")?.late, ["db (SIGKILL after 4.0s)"]);
  });

  test("the whole budget running out is 124", async () => {
    const { supervisor, clock } = supervised({ shutdown: { budgetMs: 2_000, drainMs: 0 } });
    const db = service("db", { stopTimeoutMs: 60_000 }, { obliging: false });
    const running = supervisor.run([db]);
    db.launcher.report({ type: "launched", pid: 1 });
    await running;
    const ending = supervisor.shutdown();
    await clock.advance(2_000);
    assert.equal((await ending).exitCode, 124);
    assert.deepEqual(db.launcher.calls, ["launch 1", "stop 1", "kill 1"]);
  });

  test("exitCodeFrom speaks for the runtime", async () => {
    const { supervisor } = supervised({ exitCodeFrom: "check" });
    const [check, db] = [service("check", { task: true }, { obliging: false }), service("db")];
    const running = assert.rejects(supervisor.run([check, db]), { exitCode: 5 });
    check.launcher.report(fast(5));
    assert.equal((await supervisor.ended).exitCode, 5);
    await running;
  });

  test("readiness drops first, then requests are waited for, then services stop, then the port closes", async () => {
    const story: string[] = [];
    const empty = Promise.withResolvers<void>();
    const gate: Gate = {
      drain: () => story.push(`drain, ready ${supervisor.snapshot().ready}`),
      refuse: () => story.push("refuse"),
      probers: () => [],
      onAsked: () => () => {},
      inFlight: () => 1,
      whenEmpty: () => empty.promise,
      inside: () => [],
      close: async () => void story.push("close"),
    };
    const { supervisor, clock } = supervised({ gate, shutdown: { budgetMs: 10_000, drainMs: 500 } });
    const db = service("db");
    await supervisor.run([db]);
    supervisor.addShutdownTask(() => story.push(`last, db ${db.launcher.calls.at(-1)}`));
    const ending = supervisor.shutdown();
    await clock.advance(499);
    assert.deepEqual(story, ["drain, ready false"]);
    await clock.advance(101);
    assert.deepEqual(story, ["drain, ready false", "refuse"]);
    assert.deepEqual(db.launcher.calls, ["launch 1"]);
    empty.resolve();
    await ending;
    assert.deepEqual(story.slice(2), ["last, db stop 1", "close"]);
  });

  test("companions leave before the drain, are refused with the requests, and are waited for in order behind them", async () => {
    const story: string[] = [];
    const [known, empty, finished] = [0, 1, 2].map(() => Promise.withResolvers<void>());
    assert.ok(known && empty && finished);
    const gate: Gate = {
      drain: () => story.push("drain"),
      refuse: () => story.push("refuse"),
      probers: () => [],
      onAsked: () => () => {},
      inFlight: () => 1,
      whenEmpty: () => empty.promise,
      inside: () => ["a request"],
      close: async () => {},
    };
    const steps: Companion = {
      refuse: () => story.push("steps refuse"),
      whenEmpty: () => (story.push("steps asked"), finished.promise),
      inside: () => ["a step"],
    };
    const registry: Companion = {
      leave: () => (story.push("leave"), known.promise),
      whenEmpty: async () => void story.push("registry asked"),
    };
    const { supervisor, clock, events } = supervised({ gate, companions: () => [steps, registry] });
    await supervisor.run([service("db")]);
    const ending = supervisor.shutdown();
    await clock.advance(0);
    assert.deepEqual(story, ["leave"]);
    known.resolve();
    await clock.advance(0);
    assert.deepEqual(story.splice(0), ["leave", "drain", "refuse", "steps refuse"]);
    empty.resolve();
    await clock.advance(0);
    assert.deepEqual(story.splice(0), ["steps asked"]);
    await clock.advance(10_000);
    assert.deepEqual(
      events.flatMap((event) =>
        event.type === "stage-ended" && event.stage === "in-flight" ? event.late : [],
      ),
      ["a request", "a step"],
    );
    finished.resolve();
    await ending;
    assert.deepEqual(story, ["registry asked"]);
  });

  test("the startup timeout fails the start when a probe never passes, and names who waits for whom", async () => {
    const { supervisor, clock } = supervised({
      startup: { timeoutMs: 1_000, concurrency: Infinity, onFailure: "rollback" },
    });
    const probe = { check: async () => ({ ok: false as const, reason: "refused" }) };
    const schedule = { intervalMs: 100, timeoutMs: 50, failureThreshold: 3, successThreshold: 1 };
    const db = { ...service("db", { readiness: "probe" }), readiness: { probe, schedule } };
    const running = assert.rejects(supervisor.run([db, service("api", { dependencies: [needs("db")] })]), {
      message: /'api': waits for 'db' to be ready, which did not come within runtime.startup.timeout of 1s/,
    });
    await clock.advance(500);
    const [first] = supervisor.snapshot().blockedBy.filter(({ service: name }) => name === "db");
    assert.equal(first?.reason, "readiness probe has not passed: refused");
    await clock.advance(500);
    await running;
  });

  test("what a patient service waits for is not the startup's time, which begins anew once it is ready", async () => {
    const { supervisor, clock } = supervised({
      startup: { timeoutMs: 1_000, concurrency: Infinity, onFailure: "rollback" },
    });
    let isThere = false;
    const schedule = { intervalMs: 100, timeoutMs: 50, failureThreshold: 3, successThreshold: 1 };
    const probeOf = (holds: () => boolean) => ({
      readiness: {
        schedule,
        probe: {
          check: async () => (holds() ? { ok: true as const } : { ok: false as const, reason: "refused" }),
        },
      },
    });
    const store = {
      ...service("store", { readiness: "probe", patient: true }),
      ...probeOf(() => isThere),
    };
    const db = {
      ...service("db", { readiness: "probe", dependencies: [needs("store")] }),
      ...probeOf(() => false),
    };
    const running = assert.rejects(
      supervisor.run([store, db, service("api", { dependencies: [needs("db")] })]),
      {
        message: /'api': waits for 'db' to be ready/,
      },
    );
    await clock.advance(60_000);
    assert.equal(supervisor.state, "starting");
    isThere = true;
    await clock.advance(100);
    assert.equal(supervisor.snapshot().components["store"]?.state, "ready");
    await clock.advance(899);
    assert.equal(supervisor.state, "starting");
    await clock.advance(101);
    await running;
  });

  test("with onFailure: continue it comes up degraded and says which", async () => {
    const { supervisor } = supervised({
      startup: { timeoutMs: 1_000, concurrency: Infinity, onFailure: "continue" },
    });
    const [bad, good] = [service("bad", {}, { obliging: false }), service("good")];
    const running = supervisor.run([bad, good]);
    bad.launcher.report({ type: "failed", reason: "no such command" });
    await running;
    const { ready, status, components } = supervisor.snapshot();
    assert.deepEqual({ ready, status }, { ready: true, status: "degraded" });
    assert.equal(components["bad"]?.reason, "no such command");
    await supervisor.shutdown();
  });

  test("the snapshot is the same object until something changes", async () => {
    const { supervisor } = supervised();
    await supervisor.run([service("db")]);
    const before = supervisor.snapshot();
    assert.equal(supervisor.snapshot(), before);
    await supervisor.shutdown();
    assert.notEqual(supervisor.snapshot(), before);
  });

  test("a background task that fails is told, and does not end the runtime", async () => {
    const { supervisor, clock, events } = supervised();
    supervisor.addBackgroundTask(() => Promise.reject(new Error("lost")));
    await supervisor.run([service("db")]);
    await clock.advance(0);
    assert.ok(events.some((event) => event.type === "background-task-failed" && event.reason === "lost"));
    assert.equal(supervisor.state, "started");
    await supervisor.shutdown();
  });

  test("no timer is left when it has ended", async () => {
    const { supervisor, clock } = supervised();
    let armed = 0;
    const after = clock.after;
    clock.after = (delayMs, run) => {
      armed++;
      const cancel = after(delayMs, () => (armed--, run()));
      let open = true;
      return () => {
        if (open) armed--;
        open = false;
        cancel();
      };
    };
    await supervisor.run([service("db")]);
    await supervisor.shutdown();
    assert.equal(armed, 0);
  });
});
