// The health picture with the container's memory in it: a component that is degraded while nearly all of it is used. Looks at
// most once a second, and only when somebody asks about it, which who probes readiness does not; there is no timer.
import type { Component, Snapshot } from "../core/snapshot.ts";
import type { Clock } from "../ports/clock.ts";
import type { Limits } from "../ports/control.ts";
import type { HealthSource } from "../ports/health-source.ts";

/** From this part of the limit on the component is degraded. */
const DEGRADED_FROM = 0.9;
const LOOK_AGAIN_MS = 1_000;

export interface MemoryHealthOptions {
  health: HealthSource;
  limits: () => Limits;
  clock: Clock;
}

export function withMemory({
  health,
  limits,
  clock,
}: MemoryHealthOptions): HealthSource & Required<Pick<HealthSource, "measured">> {
  let lookedMs = -Infinity;
  let memory: Component | undefined;
  let base: Snapshot | undefined;
  let merged: Snapshot | undefined;

  function look(): void {
    lookedMs = clock.now();
    const next = componentOf(limits(), clock.wallTime());
    if (next?.reason === memory?.reason && next?.status === memory?.status) return;
    memory = next;
    base = undefined;
  }

  return {
    uptimeMs: () => health.uptimeMs(),
    limits,
    snapshot: () => health.snapshot(),
    measured() {
      if (clock.now() - lookedMs >= LOOK_AGAIN_MS) look();
      const snapshot = health.snapshot();
      if (memory === undefined) return snapshot;
      if (base !== snapshot || merged === undefined) {
        base = snapshot;
        merged = merge(snapshot, memory);
      }
      return merged;
    },
  };
}

/** Nothing where memory is not limited. */
function componentOf({ memoryBytes, memoryUsedBytes }: Limits, sinceMs: number): Component | undefined {
  if (memoryBytes === undefined || memoryUsedBytes === undefined) return undefined;
  if (memoryUsedBytes < memoryBytes * DEGRADED_FROM) return { status: "healthy", sinceMs };
  const percent = DEGRADED_FROM * 100;
  const reason = `${percent} % or more of the container's ${mebibytes(memoryBytes)} are used`;
  return { status: "degraded", sinceMs, reason };
}

/** A service of that name speaks for itself. */
function merge(snapshot: Snapshot, memory: Component): Snapshot {
  const components = { memory, ...snapshot.components };
  const isDegraded = components.memory === memory && memory.status === "degraded";
  const status = snapshot.status === "healthy" && isDegraded ? "degraded" : snapshot.status;
  return { ...snapshot, status, components };
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 1024 ** 2)} MiB`;
}
