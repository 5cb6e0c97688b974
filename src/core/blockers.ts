// Why a service is not ready, and what stands in its way, down the chain of what it waits for. Reads the fleet, in words for
// people; nothing is decided from them.
import type { Fleet } from "./fleet.ts";
import type { FleetMember } from "./member.ts";

/** One thing that keeps the runtime from being ready. */
export interface Blocker {
  service: string;
  reason: string;
  /** Milliseconds since the Unix epoch. */
  sinceMs: number;
  /** How often the service has been launched. */
  attempts: number;
}

/** What reasons are read from. */
export interface ReasonContext {
  fleet: Fleet;
  /** When a scheduled task is due next, in milliseconds since the Unix epoch. */
  nextRunMs?: ((service: string) => number | undefined) | undefined;
}

/** What keeps a service from being ready: itself, then what it waits for and what that waits for, nearest first. */
export function blockersOf(
  member: FleetMember,
  context: ReasonContext & { wallOffsetMs: number },
): Blocker[] {
  const { fleet, wallOffsetMs } = context;
  const blockers: Blocker[] = [];
  const seen = new Set<FleetMember>();
  const next = [member];
  for (const each of next) {
    const reason = problemOf(each, context);
    if (reason === undefined || seen.has(each)) continue;
    seen.add(each);
    const sinceMs = each.state.sinceMs + wallOffsetMs;
    blockers.push({ service: each.planned.spec.name, reason, sinceMs, attempts: each.incarnation });
    if (each.state.name !== "pending") continue;
    const { dependency, barrier } = fleet.waitsFor(each);
    for (const index of dependency?.indexes ?? (barrier === undefined ? [] : [barrier])) {
      const needed = fleet.members[index];
      if (needed) next.push(needed);
    }
  }
  return blockers;
}

/** Why it is not ready, in words; nothing when it is. */
export function problemOf(member: FleetMember, context: ReasonContext): string | undefined {
  const { state, planned, readiness } = member;
  switch (state.name) {
    case "ready":
    case "completed":
      return undefined;
    case "pending":
      return waitInWords(member, context);
    case "starting":
      if (planned.spec.task) return "has not completed";
      return state.launched ? "startup probe has not passed" : "is starting";
    case "started":
      if (readiness === "manual") return "has not been marked ready";
      return `readiness probe has not passed${state.reason === undefined ? "" : `: ${state.reason}`}`;
    case "unready":
      return `readiness probe fails: ${state.reason}`;
    case "backoff":
      return state.failure.reason;
    case "stopping":
      return state.failure ? state.failure.reason : "is stopping";
    case "stopped":
      return state.held ? "was stopped" : "has stopped";
    case "failed":
      return state.failure.reason;
    case "skipped":
      return state.reason;
    default:
      return state satisfies never;
  }
}

/** Times are in UTC, which says so itself. */
function waitInWords(member: FleetMember, { fleet, nextRunMs }: ReasonContext): string {
  const { reason, byTime } = fleet.waitsFor(member);
  const atMs = byTime && nextRunMs?.(member.planned.spec.name);
  return atMs === undefined ? reason : `${reason}, next at ${new Date(atMs).toISOString().slice(0, 19)}Z`;
}
