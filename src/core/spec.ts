// What the core knows about a service: a name, its place in the order, and its limits. Nothing about how it runs.

import type { Dependency } from "../config/config.ts";

/** How a service becomes ready: once started, by its readiness probe, or by `markReady`. */
export type Readiness = "started" | "probe" | "manual";

export interface ServiceSpec {
  name: string;
  /** A one-shot: it is done when it exits with 0. */
  task: boolean;
  /** Higher starts earlier among what dependencies leave free. */
  priority: number;
  dependencies: readonly Dependency[];
  /** Its failure ends the runtime; otherwise it only degrades it. */
  critical: boolean;
  /** Started only once its startup probe has passed. */
  startupProbe: boolean;
  readiness: Readiness;
  startTimeoutMs: number;
  stopTimeoutMs: number;
}
