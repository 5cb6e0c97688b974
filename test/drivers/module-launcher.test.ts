// Modules in this process: when their methods are called, with which signal, and what is reported.
import assert from "node:assert/strict";
import { test } from "node:test";
import { moduleLauncher, type ModuleLauncherOptions } from "../../src/drivers/module-launcher.ts";
import { UsageError } from "../../src/errors.ts";
import type { ServiceLike } from "../../src/ports/service.ts";
import { record } from "../contracts/outcomes.ts";

function start(service: ServiceLike, options: Partial<ModuleLauncherOptions> = {}) {
  return record(moduleLauncher({ load: () => service, task: false, onInstance() {}, ...options }));
}

test("onInstance comes before startup, with a signal that stop aborts", async () => {
  const calls: string[] = [];
  let alive: AbortSignal | undefined;
  const service: ServiceLike = { startup: () => void calls.push("startup") };
  const { running, first } = start(service, {
    onInstance(instance, signal) {
      calls.push("onInstance");
      assert.equal(instance, service);
      alive = signal;
    },
  });
  await first;
  assert.deepEqual(calls, ["onInstance", "startup"]);
  assert.equal(alive?.aborted, false);
  running.stop();
  assert.equal(alive?.aborted, true);
});

test("launched waits for startup to resolve", async () => {
  const ready = Promise.withResolvers<void>();
  const { outcomes, first } = start({ startup: () => ready.promise });
  await Promise.resolve();
  assert.equal(outcomes.length, 0);
  ready.resolve();
  assert.deepEqual(await first, { type: "launched", manual: false });
});

test("launched says whether the service marks itself ready", async () => {
  assert.deepEqual(await start({ readiness: "manual" }).first, { type: "launched", manual: true });
});

test("failed carries what startup threw", async () => {
  const error = new Error("no database");
  const throwing = () => {
    throw error;
  };
  for (const startup of [throwing, () => Promise.reject(error)]) {
    const { end } = start({ startup });
    assert.deepEqual(await end, {
      type: "failed",
      reason: "startup() failed: no database",
      stack: error.stack,
    });
  }
});

test("failed carries what load and onInstance threw", async () => {
  const error = new Error("no file");
  const throwing = () => {
    throw error;
  };
  assert.deepEqual(await start({}, { load: throwing }).end, {
    type: "failed",
    reason: "no file",
    stack: error.stack,
  });
  assert.deepEqual(await start({}, { onInstance: throwing }).end, {
    type: "failed",
    reason: "no file",
    stack: error.stack,
  });
});

test("failed carries no stack of what the runtime says itself, or of what is no error", async () => {
  for (const error of [new UsageError("no such export"), "no such export"]) {
    const { end } = start({}, { load: () => Promise.reject(error) });
    assert.deepEqual(await end, { type: "failed", reason: "no such export" });
  }
});

test("stop during startup aborts its signal, and shutdown follows once it has settled", async () => {
  const calls: string[] = [];
  const entered = Promise.withResolvers<void>();
  const { running, end, outcomes } = start({
    startup: (signal) =>
      new Promise((_resolve, reject) => {
        entered.resolve();
        signal.addEventListener("abort", () => {
          calls.push("aborted");
          reject(signal.reason);
        });
      }),
    shutdown: () => void calls.push("shutdown"),
  });
  await entered.promise;
  running.stop();
  assert.deepEqual(await end, { type: "exited", code: 0, signal: null });
  assert.deepEqual(calls, ["aborted", "shutdown"]);
  assert.equal(outcomes.length, 1);
});

test("stop during load never begins startup", async () => {
  const loading = Promise.withResolvers<ServiceLike>();
  const { running, end } = start({}, { load: () => loading.promise });
  running.stop();
  loading.resolve({ startup: () => assert.fail("startup was called") });
  assert.deepEqual(await end, { type: "exited", code: 0, signal: null });
});

test("stop calls shutdown once", async () => {
  let shutdowns = 0;
  const { running, first, end } = start({ shutdown: () => void shutdowns++ });
  await first;
  running.stop();
  running.stop();
  await end;
  running.stop();
  assert.equal(shutdowns, 1);
});

test("exited says that shutdown threw, and where", async () => {
  const error = new Error("socket busy");
  const { running, first, end } = start({ shutdown: () => Promise.reject(error) });
  await first;
  running.stop();
  assert.deepEqual(await end, {
    type: "exited",
    code: 1,
    signal: null,
    reason: "shutdown() failed: socket busy",
    stack: error.stack,
  });
});

test("kill aborts shutdown's signal, names where it hung, and drops what comes later", async () => {
  const hanging = Promise.withResolvers<void>();
  let deadline: AbortSignal | undefined;
  const { running, first, end, outcomes } = start({
    shutdown(signal) {
      deadline = signal;
      return hanging.promise;
    },
  });
  await first;
  running.stop();
  while (deadline === undefined) await Promise.resolve();
  assert.equal(deadline.aborted, false);
  running.kill();
  assert.equal(deadline.aborted, true);
  const reason = "abandoned in shutdown(): code in this process cannot be killed";
  assert.deepEqual(await end, { type: "exited", code: 1, signal: null, reason });
  hanging.resolve();
  await new Promise((turn) => setImmediate(turn));
  assert.equal(outcomes.length, 2);
});

test("a task exits with 0 once startup has resolved, without shutdown", async () => {
  const { end, outcomes } = start({ shutdown: () => assert.fail("shutdown was called") }, { task: true });
  assert.deepEqual(await end, { type: "exited", code: 0, signal: null });
  assert.equal(outcomes.length, 1);
});

test("a task that gives up when it is stopped exits with 1", async () => {
  const entered = Promise.withResolvers<void>();
  const { running, end } = start(
    {
      startup: (signal) =>
        new Promise((_resolve, reject) => {
          entered.resolve();
          signal.addEventListener("abort", () => reject(new Error("half done")));
        }),
    },
    { task: true },
  );
  await entered.promise;
  running.stop();
  assert.deepEqual(await end, {
    type: "exited",
    code: 1,
    signal: null,
    reason: "startup() failed: half done",
  });
});

const never = new AbortController().signal;

/** A service with this `health`, up; `check` asks it. */
async function up(health: () => unknown) {
  const { running, first } = start({ health });
  assert.deepEqual(await first, { type: "launched", manual: false, health: true });
  return { running, check: async (signal = never) => await running.health?.(signal) };
}

test("health passes when it resolves, whatever it gives", async () => {
  for (const value of [undefined, true, null, 0, "", {}, { ok: true }, { ok: 0 }, Promise.resolve("fine")]) {
    const { check } = await up(() => value);
    assert.deepEqual(await check(), { ok: true });
  }
});

test("health fails on false, on ok: false with its reason, and on what it throws", async () => {
  const fails = async (health: () => unknown, reason: string): Promise<void> => {
    const { check } = await up(health);
    for (let count = 0; count < 2; count++) assert.deepEqual(await check(), { ok: false, reason });
  };
  await fails(() => false, "health() gave false");
  await fails(() => Promise.resolve(false), "health() gave false");
  await fails(() => ({ ok: false, reason: "queue is full" }), "queue is full");
  await fails(() => ({ ok: false, reason: 7 }), "health() gave ok: false");
  await fails(() => {
    throw new Error("no database");
  }, "health() failed: no database");
  await fails(() => Promise.reject(new Error("no disk")), "health() failed: no disk");
});

test("health is a method of the service, asked anew at each check", async () => {
  const service = {
    asked: 0,
    health() {
      return { ok: false, reason: `asked ${++this.asked}` };
    },
  };
  const { running, first } = start(service);
  await first;
  assert.deepEqual(await running.health?.(never), { ok: false, reason: "asked 1" });
  assert.deepEqual(await running.health?.(never), { ok: false, reason: "asked 2" });
});

test("while one health call runs no second one is made, even past its time", async () => {
  const calls: PromiseWithResolvers<unknown>[] = [];
  const { check } = await up(() => {
    const call = Promise.withResolvers<unknown>();
    calls.push(call);
    return call.promise;
  });
  const late = new AbortController();
  const first = check(late.signal);
  late.abort();
  assert.deepEqual(await first, { ok: false, reason: "health() gave no answer in time" });
  const later = new AbortController();
  const second = check(later.signal);
  later.abort();
  assert.deepEqual(await second, { ok: false, reason: "the last check still runs" });
  const third = [check(), check()];
  assert.equal(calls.length, 1);
  calls[0]?.resolve({ ok: false, reason: "slow disk" });
  assert.deepEqual(
    await Promise.all(third),
    [1, 2].map(() => ({ ok: false, reason: "slow disk" })),
  );
  const fourth = check();
  assert.equal(calls.length, 2);
  calls[1]?.resolve(true);
  assert.deepEqual(await fourth, { ok: true });
});

test("health is not asked when there is no time, before launch, and after the end", async () => {
  let asked = 0;
  const { running, check } = await up(() => void asked++);
  assert.equal((await check(AbortSignal.abort()))?.ok, false);
  running.kill();
  assert.deepEqual(await check(), { ok: false, reason: "it is over" });
  const starting = start({ startup: () => new Promise(() => {}), health: () => void asked++ });
  await Promise.resolve();
  assert.deepEqual(await starting.running.health?.(never), { ok: false, reason: "it is in startup()" });
  assert.equal(asked, 0);
});
