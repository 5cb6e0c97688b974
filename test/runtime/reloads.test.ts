// Reloads that come when it is not their turn: while another is under way, and before the runtime has started.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { RuntimeEvent } from "../../src/ports/runtime-event.ts";
import { Operator } from "../../src/runtime/operator.ts";
import { Supervisor } from "../../src/runtime/supervisor.ts";
import { testClock } from "../../src/testing.ts";
import { spec } from "../core/arbitrary.ts";
import { scriptedLauncher } from "../fakes/launcher.ts";

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
    problems: ["cannot reload: the runtime is starting"],
  });
  operator.reloadSoon();
  operator.reloadSoon();
  await clock.advance(0);
  assert.equal(reads.length, 0);
  await up();
  await clock.advance(0);
  assert.equal(reads.length, 1);
});
