import assert from "node:assert/strict";
import { test } from "node:test";
import type { Limits } from "../../src/ports/control.ts";
import { withMemory } from "../../src/runtime/memory-health.ts";
import { testClock } from "../../src/testing.ts";
import { degraded, scriptedHealth, up } from "../fixtures/http-snapshots.ts";

function rig(first: Limits) {
  let limits = first;
  let looks = 0;
  const clock = testClock();
  const health = scriptedHealth();
  const source = withMemory({
    health,
    clock,
    limits() {
      looks++;
      return limits;
    },
  });
  return { clock, health, source, use: (next: Limits) => void (limits = next), looks: () => looks };
}

const MIB = 1024 ** 2;

test("withMemory degrades from 90 % of the limit on, and recovers", async () => {
  const { clock, source, use } = rig({ memoryBytes: 100 * MIB, memoryUsedBytes: 89 * MIB });
  assert.equal(source.measured().components["memory"]?.status, "healthy");
  assert.equal(source.measured().status, "healthy");
  use({ memoryBytes: 100 * MIB, memoryUsedBytes: 90 * MIB });
  await clock.advance(1_000);
  const { status, ready, components } = source.measured();
  assert.deepEqual([status, ready, components["memory"]?.status], ["degraded", true, "degraded"]);
  assert.equal(components["memory"]?.reason, "90 % or more of the container's 100 MiB are used");
  use({ memoryBytes: 100 * MIB, memoryUsedBytes: 10 * MIB });
  await clock.advance(1_000);
  assert.equal(source.measured().status, "healthy");
});

test("withMemory looks at most once a second, and gives the same picture while nothing changes", async () => {
  const { clock, source, use, looks } = rig({ memoryBytes: 100, memoryUsedBytes: 1 });
  const first = source.measured();
  for (let asked = 0; asked < 1_000; asked++) assert.equal(source.measured(), first);
  assert.equal(looks(), 1);
  use({ memoryBytes: 100, memoryUsedBytes: 2 });
  await clock.advance(1_000);
  assert.equal(source.measured(), first);
  assert.equal(looks(), 2);
});

test("withMemory leaves the picture alone without a limit, and a service of that name to itself", async () => {
  const { health, source } = rig({});
  assert.equal(source.measured(), health.snapshot());
  const full = rig({ memoryBytes: 100, memoryUsedBytes: 99 });
  const memory = { status: "healthy", state: "ready", sinceMs: 0 } as const;
  full.health.show(up({ components: { memory } }));
  assert.equal(full.source.measured().components["memory"], memory);
  assert.equal(full.source.measured().status, "healthy");
});

test("withMemory never hides a worse status", () => {
  const { health, source } = rig({ memoryBytes: 100, memoryUsedBytes: 99 });
  health.show(up({ status: "unhealthy" }));
  assert.equal(source.measured().status, "unhealthy");
  health.show(degraded());
  assert.equal(source.measured().status, "degraded");
});
