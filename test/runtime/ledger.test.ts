import assert from "node:assert/strict";
import { test } from "node:test";
import { type Stage, STAGES } from "../../src/core/budget.ts";
import { runLedger, type StageReport, type StageWork } from "../../src/runtime/ledger.ts";
import { type TestClock, testClock } from "../../src/testing.ts";

/** Stages that take the given milliseconds and are late by their own name when cut. */
function workOf(times: Partial<Record<Stage, number>>, clock: TestClock): Record<Stage, StageWork> {
  const stage = (name: Stage): StageWork => {
    let done = false;
    const run = () =>
      new Promise<void>((resolve) => {
        clock.after(times[name] ?? 0, () => {
          done = true;
          resolve();
        });
      });
    return { run, late: () => (done ? [] : [name]) };
  };
  return Object.fromEntries(STAGES.map((name) => [name, stage(name)])) as Record<Stage, StageWork>;
}

async function ledger(times: Partial<Record<Stage, number>>, drainMs = 0) {
  const clock = testClock();
  const reports: StageReport[] = [];
  const ending = runLedger(workOf(times, clock), {
    clock,
    budgetMs: 1_000,
    drainMs,
    onStageEnded: (report) => reports.push(report),
  });
  await clock.advance(5_000);
  const { overran } = await ending;
  return { overran, took: reports.map(({ tookMs }) => tookMs), late: reports.flatMap(({ late }) => late) };
}

test("runLedger runs the stages one after the other", async () => {
  const times = { "in-flight": 100, tasks: 50, services: 300, "shutdown-tasks": 20 };
  assert.deepEqual(await ledger(times), { overran: false, took: [0, 100, 50, 300, 20], late: [] });
});

test("runLedger hands what a stage leaves to the next", async () => {
  const { overran, took } = await ledger({ services: 890 });
  assert.deepEqual([overran, took[3]], [false, 890]);
});

test("runLedger cuts requests at half of what is left, which is no overrun of the budget", async () => {
  const { overran, took, late } = await ledger({ "in-flight": 5_000 });
  assert.deepEqual([overran, took[1], late], [false, 500, ["in-flight"]]);
});

test("runLedger cuts the services before the budget ends, so that the last stage has time", async () => {
  const { overran, took, late } = await ledger({ services: 5_000, "shutdown-tasks": 50 });
  assert.deepEqual([overran, took[3], late], [true, 900, ["services"]]);
});

test("runLedger ends the drain by the clock", async () => {
  const { overran, took } = await ledger({ drain: Infinity }, 250);
  assert.deepEqual([overran, took[0]], [false, 250]);
});
