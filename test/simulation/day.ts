// A day of a container that has everything go wrong in it: crash loops, flapping probes, schedules that overlap, replicas, a module
// with a check of its own, an operator who looks, orders and reloads. Only data; the simulation plays it.
import { PLAIN_SPEC, type ServiceSpec } from "../../src/core/spec.ts";
import type { Draft, Scenario } from "./scenario.ts";

const HOUR_MS = 3_600_000;

export const DAY_MS = 24 * HOUR_MS;

/** So many restarts in an hour that a history which is never cut would show. */
const RESTART = {
  policy: "always",
  backoff: { minMs: 100, maxMs: 30_000 },
  limit: { count: 5_000, windowMs: HOUR_MS },
  resetAfterMs: 60_000,
} as const;

function draft(name: string, over: Partial<ServiceSpec> = {}, more: Partial<Draft> = {}): Draft {
  return {
    spec: {
      ...PLAIN_SPEC,
      name,
      group: name,
      critical: false,
      restart: RESTART,
      startTimeoutMs: 3_000,
      ...over,
    },
    mood: "moody",
    probes: { intervalMs: 20_000, timeoutMs: 1_000, failureThreshold: 2, successThreshold: 1 },
    ownCheck: false,
    ...more,
  };
}

const needsDb = (restart: boolean) =>
  [{ service: "db", condition: "ready", required: true, restart }] as const;

const drafts: readonly Draft[] = [
  draft("db", { critical: true, readiness: "probe", livenessProbe: true }, { mood: "calm" }),
  draft("api-1", { group: "api", dependencies: needsDb(true), readiness: "probe" }),
  draft("api-2", { group: "api", dependencies: needsDb(true), readiness: "probe" }),
  draft("loop", {}, { mood: "doomed" }),
  draft("flapping", { readiness: "probe", livenessProbe: true, startupProbe: true }, { mood: "broken" }),
  draft("module", { inProcess: true, dependencies: needsDb(false) }, { mood: "calm", ownCheck: true }),
  draft("job", { task: true, schedule: { overlap: "queue" } }, { periodMs: 60_000, mood: "broken" }),
  draft("report", { task: true, schedule: { overlap: "replace" } }, { periodMs: 300_000 }),
];

/** Every hour somebody looks, restarts something and reloads. */
export const day: Scenario = {
  drafts,
  concurrency: 2,
  onFailure: "continue",
  startupTimeoutMs: 60_000,
  budgetMs: "auto",
  drainMs: 0,
  kubernetes: false,
  endures: false,
  hasGate: false,
  backgroundTasks: 1,
  shutdownTasks: 1,
  faultsEndMs: DAY_MS,
  deeds: Array.from({ length: 23 }, (_, hour) =>
    (["look", "restart", "start", "reload", "ghost"] as const).map((deed, index) => ({
      atMs: (hour + 1) * HOUR_MS + index * 1_000,
      deed,
    })),
  ).flat(),
  gently: true,
  endsBadly: true,
  ending: "signal",
};
