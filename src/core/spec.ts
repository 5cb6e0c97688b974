// What the core knows about a service: a name, its place in the order, and its limits. Nothing about how it runs.

/** When a dependency counts as met. */
export type Condition = "started" | "ready" | "completed";

export interface Dependency {
  service: string;
  condition: Condition;
  /** `false`: wait until the condition holds or the service has settled as failed, then go on without it. */
  required: boolean;
}

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
