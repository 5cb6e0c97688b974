// The health picture: what every service is doing, and what readiness still waits for. Built by the fleet when something
// has changed; never holds a live reference into it.
import type { ServiceState } from "./service-state.ts";

/** The runtime's own state, as the seed names it. */
export type RuntimeState = "uninitialized" | "starting" | "started" | "draining" | "stopping" | "destroyed";

/** `healthy`: as it should be. `degraded`: not, but it does not matter for readiness. `unavailable`: it matters. */
export type ComponentStatus = "healthy" | "starting" | "degraded" | "unavailable" | "stopped";

export interface Component {
  status: ComponentStatus;
  state: ServiceState["name"];
  /** Wall time in milliseconds when the state was entered. */
  sinceMs: number;
  /** Why it is not healthy, in words. */
  reason?: string;
}

/** One thing that keeps the runtime from being ready. */
export interface Blocker {
  service: string;
  reason: string;
  /** Wall time in milliseconds. */
  sinceMs: number;
  /** How often it has been started, or its probe asked, in the state it is in. */
  attempts: number;
}

export interface Snapshot {
  state: RuntimeState;
  /** Every service that boot waits for has settled. Stays true from then on. */
  started: boolean;
  ready: boolean;
  /** `unhealthy` only when the runtime itself is not alive. */
  status: "healthy" | "degraded" | "unhealthy";
  blockedBy: readonly Blocker[];
  components: Readonly<Record<string, Component>>;
}
