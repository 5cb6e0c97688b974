import assert from "node:assert/strict";
import { test } from "node:test";
import { heapStats } from "bun:jsc";
import { day, DAY_MS } from "./day.ts";
import { simulate } from "./simulation.ts";

const HOUR_MS = 3_600_000;

test("a day of crash loops, flapping probes and schedules leaves nothing behind, and can be told again", async () => {
  const objects: number[] = [];
  const restarts: number[] = [];
  const once = await simulate(1, {
    scenario: day,
    every: {
      ms: HOUR_MS,
      look(clock, { fleet }) {
        // A start or stop deadline and three probes at most for each, the schedules, and the poll of a shutdown.
        assert.ok(clock.armed <= 4 * fleet.members.length + 4, `${clock.armed} timers`);
        restarts.push(Math.max(...fleet.members.map((member) => member.restarts.timesMs.length)));
        Bun.gc(true);
        objects.push(heapStats().objectCount);
      },
    },
  });
  assert.ok(once.endedAtMs > DAY_MS);
  assert.ok(objects.length >= 24 && once.count > 50_000, `${once.count} things happened`);
  // What is kept of restarts goes back an hour, so it stops growing after one.
  assert.ok(Math.max(...restarts) < 2 * (restarts[1] ?? 0), `restarts remembered: ${restarts.join(", ")}`);
  const early = Math.max(...objects.slice(2, 6));
  assert.ok(Math.max(...objects.slice(6)) < early * 1.2, `objects by the hour: ${objects.join(", ")}`);
  assert.deepEqual(await simulate(1, { scenario: day }), once);
});
