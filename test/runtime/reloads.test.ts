// Reloads that come when it is not their turn: while another is under way, before the runtime has started, and when something is
// due.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { RuntimeEvent } from "../../src/ports/runtime-event.ts";
import { Operator } from "../../src/runtime/operator.ts";
import { Supervisor } from "../../src/runtime/supervisor.ts";
import { testClock } from "../../src/testing.ts";
import { spec } from "../core/arbitrary.ts";
import { scriptedLauncher } from "../fakes/launcher.ts";
import { service, supervised } from "./rig.ts";

function rig() {
  const clock = testClock();
  const launcher = scriptedLauncher({ obliging: false });
  const service = { spec: spec("api"), launcher };
  const reads: PromiseWithResolvers<void>[] = [];
  const told: string[] = [];
  const supervisor: Supervisor = new Supervisor({
    clock,
    emit(event: RuntimeEvent) {
      operator.observe(event);
      if (event.type === "config-reloaded") told.push(event.type);
    },
    startup: { timeoutMs: 60_000, concurrency: Infinity, onFailure: "rollback" },
    shutdown: { budgetMs: 10_000, drainMs: 0 },
    kubernetes: false,
  });
  const operator: Operator = new Operator({
    supervisor,
    name: "shop",
    version: "1",
    pid: 1,
    limits: () => ({}),
    async read() {
      const reading = Promise.withResolvers<void>();
      reads.push(reading);
      await reading.promise;
      return { services: [service], added: [], changed: [], removed: [], applied() {} };
    },
  });
  const running = supervisor.run([service]);
  const up = async () => {
    launcher.report({ type: "launched" });
    await running;
  };
  return { clock, operator, reads, told, up };
}

test("a reload that comes during another is carried out after it, once for all that have come", async () => {
  const { operator, reads, told, up, clock } = rig();
  await up();
  const first = operator.reload();
  const [second, third] = [operator.reload(), operator.reload()];
  await clock.advance(0);
  assert.equal(reads.length, 1);
  reads[0]?.resolve();
  assert.equal((await first).ok, true);
  await clock.advance(0);
  assert.equal(reads.length, 2);
  reads[1]?.resolve();
  assert.deepEqual([(await second).ok, (await third).ok], [true, true]);
  assert.equal(told.length, 2);
});

test("a signal during startup is remembered until that is over; an order is refused at once", async () => {
  const { operator, reads, up, clock } = rig();
  assert.deepEqual(await operator.reload(), {
    ok: false,
    problems: ["the runtime is starting"],
  });
  operator.reloadSoon();
  operator.reloadSoon();
  await clock.advance(0);
  assert.equal(reads.length, 0);
  await up();
  await clock.advance(0);
  assert.equal(reads.length, 1);
});

describe("A run that is due at the moment of a reload", () => {
  const MINUTE_MS = 60_000;
  const everyMinute = { next: (afterMs: number) => (Math.floor(afterMs / MINUTE_MS) + 1) * MINUTE_MS };

  function nightly({ overlap = "skip" as "skip" | "queue" } = {}) {
    const { supervisor, clock } = supervised();
    const spec = { task: true, critical: false, schedule: { overlap }, startTimeoutMs: Infinity };
    const made = service("job", { ...spec, stopTimeoutMs: Infinity }, { obliging: false });
    const job = { ...made, schedule: everyMinute };
    const launches = () => made.launcher.calls.filter((call) => call.startsWith("launch")).length;
    const end = () => made.launcher.report({ type: "exited", code: 0, signal: null });
    const services = [job, service("api")];
    return { supervisor, clock, services, launches, end, run: () => supervisor.run(services) };
  }

  for (const [whose, fresh] of [
    ["has changed", ["job"]],
    ["is as it was", []],
  ] as const) {
    test(`is made up for once, where the task ${whose}`, async () => {
      const { supervisor, clock, services, launches, run } = nightly();
      // Asked for before the schedule's own timer is.
      clock.after(MINUTE_MS, () => void supervisor.replace(services, new Set(fresh)));
      await run();
      await clock.advance(MINUTE_MS);
      assert.equal(launches(), 1);
      await clock.advance(MINUTE_MS - 1);
      assert.equal(launches(), 1);
    });
  }

  test("is made up for once, where it falls into the end of the last", async () => {
    const { supervisor, clock, services, launches, end, run } = nightly();
    await run();
    await clock.advance(2 * MINUTE_MS - 1);
    assert.equal(launches(), 1);
    const replaced = supervisor.replace(services, new Set(["job"]));
    await clock.advance(1);
    end();
    await replaced;
    assert.equal(launches(), 2);
    await clock.advance(MINUTE_MS - 1);
    assert.equal(launches(), 2);
  });

  test("is made up for where it was queued behind the last", async () => {
    const { supervisor, clock, services, launches, end, run } = nightly({ overlap: "queue" });
    await run();
    await clock.advance(2 * MINUTE_MS);
    assert.equal(launches(), 1);
    const replaced = supervisor.replace(services, new Set(["job"]));
    end();
    await replaced;
    assert.equal(launches(), 2);
  });

  test("is not made up for where somebody stops the task meanwhile, or it is gone", async () => {
    const { supervisor, clock, services, launches, end, run } = nightly();
    await run();
    await clock.advance(2 * MINUTE_MS - 1);
    let replaced = supervisor.replace(services, new Set(["job"]));
    await clock.advance(1);
    supervisor.order({ type: "hold-requested", services: ["job"] });
    end();
    await replaced;
    assert.equal(launches(), 1);
    supervisor.order({ type: "start-requested", services: ["job"] });
    replaced = supervisor.replace(services.slice(1), new Set());
    await clock.advance(MINUTE_MS);
    end();
    await replaced;
    assert.equal(launches(), 2);
  });
});
