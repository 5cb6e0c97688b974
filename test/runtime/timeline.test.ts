import assert from "node:assert/strict";
import { test } from "node:test";
import type { StateName } from "../../src/core/service-state.ts";
import { createPlan } from "../../src/core/plan.ts";
import { TimelineRecorder } from "../../src/runtime/timeline.ts";
import { needs, spec } from "../core/arbitrary.ts";

const plan = createPlan([
  spec("db"),
  spec("cache"),
  spec("api", { dependencies: [needs("db"), needs("cache")] }),
  spec("job", { task: true, schedule: { overlap: "skip" } }),
]);

/** Shows a recorder states as `service from to at`, and the beginning of the end as `end`. */
function recorded(...lines: string[]) {
  const recorder = new TimelineRecorder();
  for (const line of lines) {
    const [service = "", from, to, at, incarnation = "1"] = line.split(" ");
    if (service === "end") recorder.observe({ type: "shutdown-began", reason: "", exitCode: 0, atMs: 0 });
    else {
      const states = { from: from as StateName, to: to as StateName };
      const times = { atMs: Number(at), incarnation: Number(incarnation) };
      recorder.observe({ type: "service-state-changed", service, ...states, ...times });
    }
  }
  return recorder.timeline(plan);
}

const BOOT = [
  "db pending starting 0",
  "cache pending starting 0",
  "cache starting started 10",
  "cache started ready 20",
  "db starting started 30",
  "db started ready 40",
  "api pending starting 40",
  "api starting started 90",
  "api started ready 90",
];

test("TimelineRecorder marks the chain that made the start take as long as it did", () => {
  const { start, stop } = recorded(...BOOT);
  assert.deepEqual(start, [
    { service: "db", fromMs: 0, toMs: 40, state: "ready", critical: true },
    { service: "cache", fromMs: 0, toMs: 20, state: "ready", critical: false },
    { service: "api", fromMs: 40, toMs: 90, state: "ready", critical: true },
  ]);
  assert.deepEqual(stop, []);
});

test("TimelineRecorder takes restarts and runs by schedule for no part of it", () => {
  const { start, stop } = recorded(
    ...BOOT,
    "job pending starting 100",
    "api ready stopping 200",
    "api stopping pending 210",
    "api pending starting 210 2",
    "api starting started 300 2",
  );
  assert.deepEqual(
    start.map(({ service, toMs }) => [service, toMs]),
    [
      ["db", 40],
      ["cache", 20],
      ["api", 90],
    ],
  );
  assert.deepEqual(stop, []);
});

test("TimelineRecorder walks the stop backwards, and leaves open what has not ended", () => {
  const { stop } = recorded(
    ...BOOT,
    "end",
    "api ready stopping 500",
    "api stopping stopped 520",
    "db ready stopping 520",
    "cache ready stopping 520",
    "cache stopping failed 530",
  );
  assert.deepEqual(stop, [
    { service: "api", fromMs: 500, toMs: 520, state: "stopped", critical: true },
    { service: "db", fromMs: 520, state: "stopping", critical: true },
    { service: "cache", fromMs: 520, toMs: 530, state: "failed", critical: false },
  ]);
});
