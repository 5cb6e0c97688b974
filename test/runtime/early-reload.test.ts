// A reload while the runtime is still starting, as `dev` allows it.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ProbeResult } from "../../src/ports/probe.ts";
import type { SupervisedService } from "../../src/runtime/effects.ts";
import { Operator } from "../../src/runtime/operator.ts";
import { Supervisor } from "../../src/runtime/supervisor.ts";
import { testClock } from "../../src/testing.ts";
import { needs, spec } from "../core/arbitrary.ts";
import { scriptedLauncher } from "../fakes/launcher.ts";

const SCHEDULE = { intervalMs: 1_000, timeoutMs: 1_000, failureThreshold: 3, successThreshold: 1 };

const never = (signal: AbortSignal): Promise<ProbeResult> =>
  new Promise((resolve) =>
    signal.addEventListener("abort", () => resolve({ ok: false, reason: "it was given up" })),
  );

function starting({ reloadsEarly }: { reloadsEarly: boolean }) {
  const supervisor = new Supervisor({
    clock: testClock(),
    emit: () => {},
    startup: { timeoutMs: 60_000, concurrency: Infinity, onFailure: "rollback" },
    shutdown: { budgetMs: 10_000, drainMs: 0 },
    kubernetes: false,
  });
  const hanging = {
    spec: spec("db", { startupProbe: true, priority: 1 }),
    launcher: scriptedLauncher(),
    startup: { probe: { waits: true as const, check: never }, schedule: SCHEDULE },
  };
  const good = { spec: spec("db"), launcher: scriptedLauncher() };
  // It hangs as well, and stays as it is.
  const slow = {
    ...hanging,
    spec: { ...hanging.spec, name: "slow", group: "slow" },
    launcher: scriptedLauncher(),
  };
  const api = { spec: spec("api", { dependencies: [needs("db")] }), launcher: scriptedLauncher() };
  const services: SupervisedService[] = [good, slow, api];
  const operator = new Operator({
    supervisor,
    name: "shop",
    version: "1",
    pid: 1,
    limits: () => ({}),
    read: async () => ({ services, added: [], changed: ["db"], removed: [], applied: () => {} }),
    reloadsEarly,
  });
  const running = supervisor.run([hanging, slow, api]);
  return { supervisor, operator, running, hanging, good, slow, api };
}

test("a reload while starting is refused", async () => {
  const { operator, supervisor, running } = starting({ reloadsEarly: false });
  assert.deepEqual(await operator.reload(), {
    ok: false,
    problems: ["the runtime is starting"],
  });
  await supervisor.shutdown();
  await running.catch(() => {});
});

test("where it is not, what hangs gives way, and what waited for it starts", async () => {
  const { operator, supervisor, running, hanging, good, slow, api } = starting({ reloadsEarly: true });
  assert.equal(supervisor.state, "starting");
  assert.equal((await operator.reload()).ok, true);
  await running;
  assert.equal(supervisor.state, "started");
  assert.deepEqual(hanging.launcher.calls, ["launch 1", "stop 1"]);
  assert.deepEqual(good.launcher.calls, ["launch 2"]);
  assert.deepEqual(api.launcher.calls, ["launch 1"]);
  assert.deepEqual(slow.launcher.calls, ["launch 1"]);
  await supervisor.shutdown();
});
