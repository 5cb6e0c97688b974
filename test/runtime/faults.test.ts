// What the simulation of faults, or a second look, has found in the runtime. Each was wrong once.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { PLAIN_SPEC } from "../../src/core/spec.ts";
import type { Gate } from "../../src/ports/gate.ts";
import { ServiceRuntime } from "../../src/runtime/service-runtime.ts";
import { testClock } from "../../src/testing.ts";
import { needs, spec } from "../core/arbitrary.ts";
import { fast, operatorOf, service, supervised } from "./rig.ts";

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

function gate(overrides: Partial<Gate> = {}): Gate {
  return {
    drain() {},
    refuse() {},
    probers: () => [],
    onAsked: () => () => {},
    inFlight: () => 0,
    whenEmpty: async () => {},
    inside: () => [],
    close: async () => {},
    ...overrides,
  };
}

/** A test clock that counts what is armed on it. */
function countingClock() {
  const clock = testClock();
  const armed = new Set<object>();
  const after = clock.after;
  clock.after = (delayMs, run) => {
    const timer = {};
    armed.add(timer);
    const cancel = after(delayMs, () => {
      armed.delete(timer);
      run();
    });
    return () => {
      armed.delete(timer);
      cancel();
    };
  };
  return { clock, armed };
}

describe("Supervisor forced to end", () => {
  test("leaves the graceful end where it is: no stage, no shutdown task, no timer after it", async () => {
    const { clock, armed } = countingClock();
    const { supervisor, events } = supervised({ clock, shutdown: { budgetMs: 10_000, drainMs: 5_000 } });
    const story: string[] = [];
    supervisor.addShutdownTask(() => story.push("flushed"));
    await supervisor.run([service("db")]);
    supervisor.onSignal("SIGTERM");
    await clock.advance(200);
    supervisor.onSignal("SIGTERM");
    assert.equal((await supervisor.ended).exitCode, 143);
    assert.equal(armed.size, 0);
    const { length } = events;
    await clock.advance(20_000);
    assert.deepEqual([story, events.slice(length)], [[], []]);
  });
});

describe("Supervisor with another config", () => {
  test("goes on without a service that it brings and that cannot start, and says so", async () => {
    const { supervisor } = supervised();
    const web = service("web");
    const broken = service("broken", { startupProbe: true });
    broken.launcher.launch = (_incarnation, report) => {
      report({ type: "failed", reason: "no such program" });
      return { stop() {}, kill() {} };
    };
    await supervisor.run([web]);
    await supervisor.replace([web, broken], new Set());
    const { state, ready, blockedBy } = supervisor.snapshot();
    assert.deepEqual([state, ready], ["started", false]);
    assert.deepEqual(
      blockedBy.map(({ service: name }) => name),
      ["broken"],
    );
    await supervisor.shutdown();
  });
});

describe("Supervisor shutting down", () => {
  test("stops looking at requests once their stage is over", async () => {
    const { clock, armed } = countingClock();
    const signals: AbortSignal[] = [];
    const busy = gate({
      whenEmpty(signal) {
        signals.push(signal);
        return new Promise(() => {});
      },
      inside: () => ["1 request"],
    });
    const { supervisor } = supervised({ clock, gate: busy });
    await supervisor.run([service("db")]);
    const ending = supervisor.shutdown();
    await clock.advance(5_000);
    const { stages } = await ending;
    assert.deepEqual(stages.find(({ stage }) => stage === "in-flight")?.late, ["1 request"]);
    assert.deepEqual([signals.map(({ aborted }) => aborted), armed.size], [[true], 0]);
  });

  test("ends when the port does not close, or fails to", async () => {
    const closes = {
      never: () => new Promise<never>(() => {}),
      badly: () => Promise.reject(new Error("EBADF")),
    };
    for (const [how, close] of Object.entries(closes)) {
      const { supervisor, clock } = supervised({ gate: gate({ close }) });
      await supervisor.run([service("db")]);
      const ending = supervisor.shutdown();
      await clock.advance(how === "never" ? 250 : 0);
      assert.equal((await ending).exitCode, 0, how);
    }
  });

  test("names the shutdown tasks that there was no time for, and does not run them later", async () => {
    const { supervisor, clock } = supervised({ shutdown: { budgetMs: 100, drainMs: 0 } });
    const story: string[] = [];
    supervisor.addShutdownTask(() => story.push("flushed"));
    const db = service("db", {}, { obliging: false });
    db.launcher.launch = (_incarnation, report) => {
      report({ type: "launched" });
      return { stop() {}, kill() {} };
    };
    await supervisor.run([db]);
    const ending = supervisor.shutdown();
    await clock.advance(100);
    const { exitCode, stages } = await ending;
    assert.deepEqual([exitCode, stages.at(-1)?.late], [124, ["shutdown task 1"]]);
    await clock.advance(1_000);
    assert.deepEqual(story, []);
  });

  test("a startup that is cancelled starts nothing more while requests are waited for", async () => {
    const { supervisor, clock } = supervised({ gate: gate({ whenEmpty: () => new Promise(() => {}) }) });
    const [db, api] = [
      service("db", {}, { obliging: false }),
      service("api", { dependencies: [needs("db")] }),
    ];
    const running = assert.rejects(supervisor.run([db, api]), { exitCode: 143 });
    supervisor.onSignal("SIGTERM");
    db.launcher.report({ type: "launched" });
    await clock.advance(100);
    assert.deepEqual(api.launcher.calls, []);
    await clock.advance(5_000);
    db.launcher.report(fast(0));
    await running;
  });

  test("what is not critical and breaks while stopping does not spoil a clean end", async () => {
    for (const critical of [true, false]) {
      const { supervisor } = supervised();
      const cache = service("cache", { critical, inProcess: true }, { obliging: false });
      const running = supervisor.run([cache]);
      cache.launcher.report({ type: "launched" });
      await running;
      const ending = supervisor.shutdown();
      await Promise.resolve();
      while (cache.launcher.calls.length < 2) await Promise.resolve();
      cache.launcher.report({ type: "exited", code: 1, signal: null, reason: "shutdown() failed: no" });
      const { exitCode, reason } = await ending;
      assert.equal(exitCode, critical ? 1 : 0);
      assert.equal(
        reason,
        critical
          ? "stopping: shutdown was called; 'cache': shutdown() failed: no"
          : "stopping: shutdown was called",
      );
    }
  });

  test("exitCodeFrom makes no success of a service that had to be stopped", async () => {
    const { supervisor, clock } = supervised({ exitCodeFrom: "api" });
    const check = async () => ({ ok: false as const, reason: "stuck" });
    const schedule = { intervalMs: 10, timeoutMs: 5, failureThreshold: 1, successThreshold: 1 };
    const api = { ...service("api", { livenessProbe: true }), liveness: { probe: { check }, schedule } };
    await supervisor.run([api]);
    await clock.advance(0);
    assert.equal((await supervisor.ended).exitCode, 1);
  });
});

describe("Supervisor.replace", () => {
  test("an order for what makes room is kept for its successor", async () => {
    for (const order of ["start-requested", "hold-requested"] as const) {
      const { supervisor, clock } = supervised();
      const [old, fresh] = [service("api", {}, { obliging: false }), service("api")];
      const running = supervisor.run([old]);
      old.launcher.report({ type: "launched" });
      await running;
      const reloading = operatorOf(supervisor, { read: () => [fresh], changed: ["api"] }).reload();
      await clock.advance(0);
      supervisor.order({ type: order, services: ["api"] });
      old.launcher.report(fast(0));
      assert.equal((await reloading).ok, true);
      const isStarted = order === "start-requested";
      assert.deepEqual(old.launcher.calls, ["launch 1", "stop 1"]);
      assert.deepEqual(fresh.launcher.calls, isStarted ? ["launch 2"] : []);
      assert.equal(supervisor.fleet.member("api")?.state.name, isStarted ? "ready" : "stopped");
      await supervisor.shutdown();
    }
  });

  test("is refused once the runtime ends, before it or while it waits", async () => {
    const { supervisor, clock } = supervised({ shutdown: { budgetMs: 10_000, drainMs: 1_000 } });
    const old = service("api", {}, { obliging: false });
    const running = supervisor.run([old]);
    old.launcher.report({ type: "launched" });
    await running;
    const operator = operatorOf(supervisor, { read: () => [service("api")], changed: ["api"] });
    const waiting = operator.reload();
    await clock.advance(0);
    const ending = supervisor.shutdown();
    await clock.advance(0);
    old.launcher.report(fast(0));
    assert.deepEqual(await waiting, { ok: false, problems: ["the runtime is draining"] });
    await assert.rejects(supervisor.replace([service("api")], new Set()), /the runtime is draining/);
    await clock.advance(1_000);
    await ending;
  });

  test("one that somebody has stopped stays down, as stopped", async () => {
    const { supervisor } = supervised();
    const [old, fresh] = [service("api"), service("api")];
    await supervisor.run([old]);
    supervisor.order({ type: "hold-requested", services: ["api"] });
    await operatorOf(supervisor, { read: () => [fresh], changed: ["api"] }).reload();
    assert.equal(supervisor.fleet.member("api")?.state.name, "stopped");
    supervisor.order({ type: "start-requested", services: ["api"] });
    assert.deepEqual(fresh.launcher.calls, ["launch 2"]);
    await supervisor.shutdown();
  });
});

describe("The loop", () => {
  test("goes on after somebody who listens has thrown", async () => {
    let isAngry = false;
    const { supervisor } = supervised({
      emit(event) {
        if (isAngry && event.type === "service-state-changed" && event.to === "ready") throw new Error("no");
      },
    });
    const db = service("db");
    await supervisor.run([db]);
    isAngry = true;
    assert.throws(() => supervisor.order({ type: "restart-requested", services: ["db"] }), /no/);
    supervisor.onSignal("SIGTERM");
    assert.equal((await supervisor.ended).exitCode, 0);
  });

  test("an abandoned module is named when somebody wants it, or what needs it, to start", async () => {
    const { supervisor, clock } = supervised();
    const db = service("db", { inProcess: true, critical: false, stopTimeoutMs: 10 }, { obliging: false });
    db.launcher.launch = (_incarnation, report) => {
      report({ type: "launched" });
      const kill = () => report({ type: "exited", code: 1, signal: null, reason: "abandoned in shutdown()" });
      return { stop() {}, kill };
    };
    await supervisor.run([db, service("api", { dependencies: [needs("db")] })]);
    const operator = operatorOf(supervisor);
    await operator.act("stop", ["db"], { cascade: true });
    await clock.advance(10);
    const outcome = await operator.act("start", ["api"], { cascade: false });
    assert.ok(!outcome.ok && outcome.kind === "conflict");
    assert.match(outcome.reason, /cannot start 'db': .* still runs in this process; restart the runtime/);
    await supervisor.shutdown();
  });

  test("the process of an earlier instance is not shown as that of the next", async () => {
    const { supervisor, clock } = supervised();
    const restart = { ...PLAIN_SPEC.restart, policy: "always" as const };
    const api = service("api", { restart, critical: false }, { obliging: false });
    const running = supervisor.run([api]);
    api.launcher.report({ type: "launched", pid: 1 });
    await running;
    const operator = operatorOf(supervisor);
    const pid = () => [operator.service("api")?.state, operator.service("api")?.pid];
    assert.deepEqual(pid(), ["ready", 1]);
    api.launcher.report(fast(1));
    assert.deepEqual(pid(), ["starting", undefined]);
    api.launcher.report({ type: "launched", pid: 2 });
    assert.deepEqual(pid(), ["ready", 2]);
    api.launcher.report(fast(1));
    assert.deepEqual(pid(), ["backoff", undefined]);
    await clock.advance(100_000);
    assert.deepEqual(pid(), ["starting", undefined]);
    const stopped = supervisor.shutdown();
    api.launcher.report(fast(0));
    await stopped;
  });

  test("a restart of what would not come up again, for want of what has failed, is refused", async () => {
    const { supervisor } = supervised();
    const cache = service("cache", { critical: false });
    const db = service("db");
    const following = { ...needs("db"), restart: true };
    const api = service("api", { dependencies: [needs("cache"), following] });
    const web = service("web", { dependencies: [needs("api")] });
    await supervisor.run([cache, db, api, web]);
    cache.launcher.report(fast(1));
    const operator = operatorOf(supervisor);
    assert.equal(operator.service("cache")?.state, "failed");
    const restart = (...names: string[]) => operator.act("restart", names, { cascade: false });
    assert.deepEqual(await restart("api"), {
      ok: false,
      kind: "conflict",
      reason:
        "cannot restart 'api': 'api' needs 'cache', which failed, and would not come up again; start 'cache' first",
    });
    assert.deepEqual([supervisor.state, operator.service("api")?.restarts], ["started", 0]);
    const along = await restart("db");
    assert.match(
      String(!along.ok && along.reason),
      /^cannot restart 'db': 'api' needs 'cache', which failed/,
    );
    assert.equal((await restart("web")).ok, true, "it needs what is there");
    assert.equal((await restart("api", "cache")).ok, true, "that comes back, too");
    assert.deepEqual([supervisor.state, operator.service("api")?.state], ["started", "ready"]);
    await supervisor.shutdown();
  });

  test("who was abandoned long before the end is not late in it", async () => {
    const { supervisor, clock } = supervised();
    const hanging = (name: string) => {
      const made = service(name, { inProcess: true, critical: false, stopTimeoutMs: 10 });
      made.launcher.launch = (_incarnation, report) => {
        report({ type: "launched" });
        const kill = () =>
          report({ type: "exited", code: 1, signal: null, reason: "abandoned in shutdown()" });
        return { stop() {}, kill };
      };
      return made;
    };
    await supervisor.run([hanging("early"), hanging("late")]);
    supervisor.order({ type: "hold-requested", services: ["early"] });
    await clock.advance(10);
    const ended = supervisor.shutdown();
    await clock.advance(10);
    const { stages } = await ended;
    assert.deepEqual(
      stages.flatMap(({ late }) => late),
      ["late (abandoned after 0.0s)"],
    );
  });

  test("what an old instance says of itself is not believed of the new one", () => {
    const marked: string[] = [];
    const stopping = new AbortController();
    const runtime = new ServiceRuntime({
      spec: spec("api"),
      instances: new Map(),
      markReady: (name) => marked.push(name),
      addBackgroundTask() {},
      log: SILENT,
      clock: testClock(),
      signal: stopping.signal,
      routes: () => assert.fail("nobody asks for it"),
    });
    runtime.markReady();
    stopping.abort();
    runtime.markReady();
    assert.deepEqual(marked, ["api"]);
  });
});
