// What the core knows about a service: a name, its place in the order, and its limits. Nothing about how it runs.

import type { Dependency, RestartConfig, ScheduleConfig } from "../config/config.ts";

/** How a service becomes ready: once started, by its readiness probe, or by `markReady`. */
export type Readiness = "started" | "probe" | "manual";

export interface ServiceSpec {
  name: string;
  /** What dependencies call it; shared by replicas. */
  group: string;
  /** A one-shot: it is done when it exits with 0. */
  task: boolean;
  /** Lives in this process, where nothing can be killed: one that overruns has failed for good. */
  inProcess: boolean;
  /** Runs when it is due, outside boot and readiness; what to do when it still runs. */
  schedule?: Pick<ScheduleConfig, "overlap">;
  /** Higher starts earlier among what dependencies leave free. */
  priority: number;
  dependencies: readonly Dependency[];
  /** Its failure ends the runtime; otherwise it only degrades it. */
  critical: boolean;
  restart: RestartConfig;
  /** Started only once its startup probe has passed. */
  startupProbe: boolean;
  /** Stopped, and started again as `restart` allows, when its liveness probe fails. */
  livenessProbe: boolean;
  readiness: Readiness;
  /** It waits for what is not here, as a store on another machine: that it is not ready yet is not the startup's time. */
  patient: boolean;
  startTimeoutMs: number;
  stopTimeoutMs: number;
}

/** What a service is that says nothing else of itself. The config's schema has the same defaults, in its own words. */
export const PLAIN_SPEC: Omit<ServiceSpec, "name" | "group"> = {
  task: false,
  inProcess: false,
  priority: 0,
  dependencies: [],
  critical: true,
  restart: {
    policy: "never",
    backoff: { minMs: 100, maxMs: 10_000 },
    limit: { count: 10, windowMs: 60_000 },
    resetAfterMs: 10_000,
  },
  startupProbe: false,
  livenessProbe: false,
  readiness: "started",
  patient: false,
  startTimeoutMs: 30_000,
  stopTimeoutMs: 5_000,
};
