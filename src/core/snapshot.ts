// The health picture: what every service is doing, and what readiness still waits for. Built from the fleet when something
// has changed; immutable, and never holds a live reference into it.
import type { Fleet } from "./fleet.ts";
import { type FleetMember, isReplaced } from "./member.ts";
import { type Blocker, problemOf, type ReasonContext } from "./blockers.ts";
import type { StateName } from "./service-state.ts";

/** The runtime's own state, as the seed names it. */
export type RuntimeState = "uninitialized" | "starting" | "started" | "draining" | "stopping" | "destroyed";

/** `degraded`: wrong, but readiness does not depend on it. `unavailable`: wrong, and it does. */
export type ComponentStatus = "healthy" | "starting" | "degraded" | "unavailable" | "stopped";

export interface Component {
  status: ComponentStatus;
  /** A service's; what is no service has none. */
  state?: StateName;
  /** When the state was entered, in milliseconds since the Unix epoch. */
  sinceMs: number;
  /** Why it is not healthy, in words. */
  reason?: string;
}

export interface Snapshot {
  state: RuntimeState;
  /** Startup is over. Stays true from then on. */
  started: boolean;
  ready: boolean;
  /** `unhealthy` only when the runtime itself is not alive. */
  status: "healthy" | "degraded" | "unhealthy";
  blockedBy: readonly Blocker[];
  components: Readonly<Record<string, Component>>;
}

/** What the snapshot cannot read from the fleet. */
export interface SnapshotContext {
  state: RuntimeState;
  /** When that state was entered, on the fleet's clock. */
  stateSinceMs: number;
  /** Whether startup is, or ever was, over. */
  started: boolean;
  /** What to add to the fleet's times to get milliseconds since the Unix epoch. */
  wallOffsetMs: number;
  /** As `ReasonContext` has it. */
  nextRunMs?: ReasonContext["nextRunMs"];
}

export function createSnapshot(fleet: Fleet, context: SnapshotContext): Snapshot {
  const { state, started, wallOffsetMs, nextRunMs } = context;
  const components: Record<string, Component> = {};
  const blockedBy: Blocker[] = [];
  let degraded = false;
  if (state !== "started") {
    const reason = state === "starting" || state === "uninitialized" ? "is starting" : "is shutting down";
    blockedBy.push({ service: "runtime", reason, sinceMs: context.stateSinceMs + wallOffsetMs, attempts: 0 });
  }
  for (const member of fleet.members) {
    const { name, critical } = member.planned.spec;
    const sinceMs = member.state.sinceMs + wallOffsetMs;
    const problem = problemOf(member, { fleet, nextRunMs });
    const status = statusOf(member);
    degraded ||= status === "degraded" || status === "unavailable";
    components[name] = { status, state: member.state.name, sinceMs, ...(problem && { reason: problem }) };
    if (problem !== undefined && isBlocking(member, { fleet, state, critical })) {
      blockedBy.push({ service: name, reason: problem, sinceMs, attempts: member.incarnation });
    }
  }
  const status = degraded ? "degraded" : "healthy";
  return { state, started, ready: blockedBy.length === 0, status, blockedBy, components };
}

/**
 * A critical service blocks readiness until it is ready, unless it is down and another replica is not, or it never came up and the
 * runtime went on without it (`onFailure: continue`). Another one only until it has come up or failed, and a scheduled task never.
 */
function isBlocking(
  member: FleetMember,
  { fleet, state, critical }: { fleet: Fleet; state: RuntimeState; critical: boolean },
): boolean {
  if (member.planned.spec.schedule) return false;
  if (!critical) return fleet.isComing(member);
  const { name } = member.state;
  const isGivenUp = name === "failed" || name === "skipped";
  if (state !== "started" || !(isGivenUp || name === "stopped")) return true;
  return !isReplaced(member, fleet.members) && !(isGivenUp && fleet.isTolerated(member));
}

function statusOf({ state, planned }: FleetMember): ComponentStatus {
  switch (state.name) {
    case "ready":
    case "completed":
      return "healthy";
    case "pending":
      return planned.spec.schedule ? "healthy" : "starting";
    case "starting":
    case "started":
      return "starting";
    case "backoff":
    case "unready":
    case "failed":
    case "skipped":
      return planned.spec.critical ? "unavailable" : "degraded";
    case "stopping":
    case "stopped":
      return "stopped";
    default:
      return state satisfies never;
  }
}
