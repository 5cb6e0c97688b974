// One service in the fleet: its place in the plan, its state, and what has to be remembered from one incarnation to the next.
import type { Condition } from "../config/config.ts";
import { judgeGroup } from "./condition.ts";
import type { Effect, Target } from "./event.ts";
import type { PlannedDependency, PlannedService } from "./plan.ts";
import { NO_RESTARTS, type RestartHistory } from "./restart.ts";
import { isAlive, type ServiceState } from "./service-state.ts";
import type { Readiness } from "./spec.ts";

export interface Member {
  readonly planned: PlannedService;
  readonly index: number;
  state: ServiceState;
  /** How often it has been launched. */
  incarnation: number;
  /** As the spec has it, until a module says that it calls `markReady` itself, or has a check of its own. */
  readiness: Readiness;
  markedReady: boolean;
  /** Since when this incarnation has been up; absent: it has not come up. */
  upSinceMs?: number;
  /** It has been up in some incarnation. */
  wasUp: boolean;
  /** It was to come up when the boot was over: an operator or another config wanted it. */
  isLate: boolean;
  /** It has been ready in this incarnation. */
  wasReady: boolean;
  restarts: RestartHistory;
  /**
   * What becomes of it once it has stopped: `hold` it until somebody starts it, `restart` it as somebody asked, or `retry` as
   * its restart policy allows. Absent: it stays down.
   */
  after?: "hold" | "restart" | "retry";
  /** A deadline is armed. */
  isTimed: boolean;
  /** Probes of it are asked. */
  isWatched: boolean;
  /** It came due while it was running, and runs once more. */
  isDue: boolean;
  /** Its process, or the last one it had; modules have none. */
  pid?: number;
  /** Milliseconds it was given to stop, where it had to be killed. */
  lateMs?: number;
  /** How its last incarnation ended, on the fleet's clock. */
  lastExit?: { code: number | null; signal: string | null; atMs: number };
}

/** A service as the fleet sees it, for reading. */
export type FleetMember = Readonly<Member>;

export function createMember(planned: PlannedService, index: number): Member {
  return {
    planned,
    index,
    state: { name: "pending", sinceMs: 0 },
    incarnation: 0,
    readiness: planned.spec.readiness,
    markedReady: false,
    wasUp: false,
    isLate: false,
    wasReady: false,
    restarts: NO_RESTARTS,
    isTimed: false,
    isWatched: false,
    isDue: false,
  };
}

/** Makes `member` go on where its predecessor under another plan is. */
export function adopt(member: Member, predecessor: FleetMember): void {
  Object.assign(member, { ...predecessor, planned: member.planned, index: member.index });
}

/** How often it has begun anew; a run of a scheduled task at its time is none. */
export function restartsOf({ planned, incarnation, restarts }: FleetMember): number {
  return planned.spec.schedule ? restarts.total : Math.max(0, incarnation - 1);
}

/** It is down, or on its way there, until somebody starts it. */
export function isHeld({ state, after }: FleetMember): boolean {
  return after === "hold" || (state.name === "stopped" && state.held === true);
}

/**
 * Those that run and are to restart now that `member` has come so far: what they depend on had gone and is back. One of several
 * replicas changes nothing for them while another is there, nor does a replica that only was not ready for a while. One that
 * would not come up again, for want of something else that has failed, goes on as it is.
 */
export function thoseThatFollow(
  { index, planned }: FleetMember,
  { condition, members }: { condition: Condition; members: readonly Member[] },
): number[] {
  const isBack = (dependency: PlannedDependency) =>
    dependency.restart &&
    dependency.condition === condition &&
    dependency.indexes.includes(index) &&
    hasComeBack(dependency, { by: index, members });
  const stateOf = (each: number) => (members[each] as Member).state;
  const isLost = (dependency: PlannedDependency) =>
    dependency.required && judgeGroup(dependency.condition, dependency.indexes, stateOf) === "lost";
  return planned.dependents.filter((each) => {
    const dependent = members[each];
    if (!dependent || !runs(dependent) || dependent.after === "hold") return false;
    const { dependencies } = dependent.planned;
    return dependencies.some(isBack) && !dependencies.some(isLost);
  });
}

/** With what is there again now, the group is, and it was before. */
function hasComeBack(
  { condition, indexes }: PlannedDependency,
  { by, members }: { by: number; members: readonly FleetMember[] },
): boolean {
  const group = indexes.flatMap((index) => members[index] ?? []);
  const others = group.filter(({ index }) => index !== by);
  const isThere = (member: FleetMember) =>
    runs(member) && (condition === "ready" ? member.wasReady : member.upSinceMs !== undefined);
  if (condition === "ready" ? others.some(isThere) : !others.every(isThere)) return false;
  return (
    group.some(({ incarnation }) => incarnation > 1) ||
    (condition === "ready" && others.some(({ wasReady }) => wasReady))
  );
}

function runs({ state }: FleetMember): boolean {
  return isAlive(state) && state.name !== "stopping";
}

/** Another replica of it is there, or will be. */
export function isReplaced({ index, planned }: FleetMember, members: readonly FleetMember[]): boolean {
  return planned.replicas.some((each) => {
    const { state, after } = members[each] ?? {};
    if (each === index || !state) return false;
    if (state.name === "stopping") return after === "restart" || after === "retry";
    return state.name !== "failed" && state.name !== "skipped" && state.name !== "stopped";
  });
}

/** It, or a replica of it, has been up, so what goes wrong now is no failed start. */
export function wasEverUp({ planned }: FleetMember, members: readonly FleetMember[]): boolean {
  return planned.replicas.some((each) => members[each]?.wasUp);
}

/** The runtime was there before it and can do without it. A scheduled task always begins late, and is critical only where somebody says so. */
export function isNoLoss(member: FleetMember, members: readonly FleetMember[]): boolean {
  return member.isLate && !member.planned.spec.schedule && !wasEverUp(member, members);
}

/** The incarnation that a member is in. */
export function target({ planned, incarnation }: FleetMember): Target {
  return { service: planned.spec.name, incarnation };
}

/** The news of a state just entered. */
export function announcement(member: FleetMember, from: ServiceState): Effect {
  const { planned, incarnation, state, pid } = member;
  const { name: service } = planned.spec;
  const effect: Effect = { type: "announce", service, incarnation, from: from.name, to: state.name };
  if (pid !== undefined) effect.pid = pid;
  const reason = reasonOf(state);
  if (reason !== undefined) effect.reason = reason;
  return effect;
}

function reasonOf(state: ServiceState): string | undefined {
  if ("failure" in state) return state.failure?.reason;
  return "reason" in state ? state.reason : undefined;
}
