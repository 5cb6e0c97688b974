// All services and what they are doing. One event in, a list of effects out; the same events at the same times give the same
// effects. A fold costs what it touches: the orders keep counts, so nothing is searched.
import type { Deadline, Effect, FleetEvent, ProbeName, Target } from "./event.ts";
import { exitCodeOf } from "./exit.ts";
import type { Plan, PlannedService } from "./plan.ts";
import type { Readiness } from "./spec.ts";
import { type Failure, isAlive, type ServiceState, transition } from "./service-state.ts";
import { type Boot, StartOrder } from "./start-order.ts";
import { StopOrder } from "./stop-order.ts";

export interface FleetOptions {
  /** How many services may be starting at once. Default: no limit. */
  concurrency?: number;
  /** `continue`: a service that does not come up only degrades the runtime. Default: `rollback`. */
  onFailure?: "rollback" | "continue";
}

interface Member {
  readonly planned: PlannedService;
  readonly index: number;
  state: ServiceState;
  /** How often it has been launched. */
  incarnation: number;
  /** As the spec has it, until a module says that it calls `markReady` itself. */
  readiness: Readiness;
  markedReady: boolean;
  /** Its process, or the last one it had; modules have none. */
  pid?: number;
  /** Milliseconds it was given to stop, where it had to be killed. */
  lateMs?: number;
  /** Its exit code, once it has ended. */
  exitCode?: number;
}

/** A service as the fleet sees it, for reading. */
export type FleetMember = Readonly<Member>;

export class Fleet {
  readonly #members: Member[];
  readonly #byName: Map<string, Member>;
  readonly #startOrder: StartOrder;
  readonly #stopOrder: StopOrder;
  readonly #onFailure: "rollback" | "continue";
  #now = 0;
  #effects: Effect[] = [];
  #stopping = false;
  #givenUp = false;
  #version = 0;

  constructor(plan: Plan, options: FleetOptions = {}) {
    this.#members = plan.services.map((planned, index) => ({
      planned,
      index,
      state: { name: "pending", sinceMs: 0 },
      incarnation: 0,
      readiness: planned.spec.readiness,
      markedReady: false,
    }));
    this.#byName = new Map(this.#members.map((member) => [member.planned.spec.name, member]));
    this.#startOrder = new StartOrder(plan, options.concurrency ?? Infinity);
    this.#stopOrder = new StopOrder(plan);
    this.#onFailure = options.onFailure ?? "rollback";
  }

  /** Raised by every change that the outside can see. */
  get version(): number {
    return this.#version;
  }

  get members(): readonly FleetMember[] {
    return this.#members;
  }

  member(service: string): FleetMember | undefined {
    return this.#byName.get(service);
  }

  get boot(): Boot {
    return this.#startOrder.boot;
  }

  /** Nothing runs any more, and nothing will start. */
  get ended(): boolean {
    return this.#stopping && this.#stopOrder.alive === 0;
  }

  /** What a pending service waits for, in words. */
  waitReason(member: FleetMember): string {
    return this.#startOrder.waitReason(member.index);
  }

  /** Takes one event. `nowMs` is on a monotonic scale and never goes back. */
  fold(event: FleetEvent, nowMs: number): Effect[] {
    this.#now = nowMs;
    this.#effects = [];
    switch (event.type) {
      case "boot-requested":
        this.#startOrder.begin();
        break;
      case "startup-timed-out":
        this.#onStartupTimedOut(event.timeoutMs);
        break;
      case "stop-requested":
        this.#onStopRequested();
        break;
      case "kill-requested":
        this.#onStopRequested();
        for (const member of this.#members) this.#kill(member);
        break;
      default:
        this.#onServiceEvent(event);
    }
    this.#follow();
    return this.#effects;
  }

  /** Does what the orders allow now, until they allow nothing more. */
  #follow(): void {
    let moved = true;
    while (moved) {
      moved = false;
      for (let lost = this.#startOrder.takeLost(); lost; lost = this.#startOrder.takeLost()) {
        moved = true;
        this.#onLost(lost);
      }
      for (let next = this.#startOrder.takeNext(); next !== undefined; next = this.#startOrder.takeNext()) {
        moved = true;
        this.#launch(this.#members[next]);
      }
      for (let next = this.#stopOrder.takeNext(); next !== undefined; next = this.#stopOrder.takeNext()) {
        moved = true;
        this.#stop(this.#members[next]);
      }
    }
    this.#endIfAllTasksAreDone();
  }

  #onServiceEvent(event: Extract<FleetEvent, Target>): void {
    const member = this.#byName.get(event.service);
    if (!member || member.incarnation !== event.incarnation || !isAlive(member.state)) return;
    switch (event.type) {
      case "service-launched":
        return this.#onLaunched(member, event);
      case "service-launch-failed":
        return this.#onEnded(member, { reason: event.reason, exitCode: 1 });
      case "service-exited":
        return this.#onExited(member, event);
      case "service-marked-ready":
        member.markedReady = true;
        return member.state.name === "started" ? this.#becomeReady(member) : undefined;
      case "probe-passed":
        return this.#onProbePassed(member, event.probe);
      case "probe-failed":
        return this.#onProbeFailed(member, event);
      case "deadline-passed":
        return event.deadline === "start" ? this.#onStartOverrun(member) : this.#onStopOverrun(member);
      default:
        return event satisfies never;
    }
  }

  // ── coming up ──

  #launch(member: Member | undefined): void {
    if (member?.state.name !== "pending") return;
    member.incarnation++;
    this.#enter(member, { name: "starting", launched: false, sinceMs: this.#now });
    this.#arm(member, "start", member.planned.spec.startTimeoutMs);
    this.#emit("launch", member);
  }

  #onLaunched(member: Member, { pid, manual }: { pid?: number; manual?: boolean }): void {
    if (member.state.name !== "starting") return;
    const { startupProbe, task } = member.planned.spec;
    if (manual && member.readiness === "started") member.readiness = "manual";
    if (pid !== undefined) member.pid = pid;
    const launched = { ...member.state, launched: true };
    this.#startOrder.entered(member.index, member.state, launched);
    member.state = launched;
    if (startupProbe) this.#watch(member, "startup");
    else if (!task) this.#becomeStarted(member);
  }

  #becomeStarted(member: Member): void {
    const { readiness } = member;
    this.#disarm(member, "start");
    this.#enter(member, { name: "started", sinceMs: this.#now });
    if (readiness === "probe") this.#watch(member, "readiness");
    if (readiness === "started" || member.markedReady) this.#becomeReady(member);
  }

  #becomeReady(member: Member): void {
    this.#enter(member, { name: "ready", sinceMs: this.#now });
  }

  #onProbePassed(member: Member, probe: ProbeName): void {
    const { name } = member.state;
    if (probe === "startup" && name === "starting" && !member.planned.spec.task) this.#becomeStarted(member);
    if (probe === "readiness" && (name === "started" || name === "unready")) this.#becomeReady(member);
  }

  #onProbeFailed(member: Member, { probe, reason }: { probe: ProbeName; reason: string }): void {
    const { state } = member;
    if (probe === "startup") return;
    if (state.name === "started" || state.name === "unready") {
      this.#version += Number(state.reason !== reason);
      member.state = { ...state, reason };
    } else if (state.name === "ready") {
      this.#enter(member, { name: "unready", reason, sinceMs: this.#now });
    }
  }

  // ── going wrong ──

  #onStartOverrun(member: Member): void {
    const { state, planned } = member;
    if (state.name !== "starting") return;
    const missing = planned.spec.task ? "complete" : state.launched ? "pass its startup probe" : "start";
    const reason = `did not ${missing} within its startTimeout of ${inWords(planned.spec.startTimeoutMs)}`;
    this.#stopBecause(member, { reason, exitCode: 1 });
  }

  #onStartupTimedOut(timeoutMs: number): void {
    if (this.boot !== "moving") return;
    const limit = `within runtime.startup.timeout of ${inWords(timeoutMs)}`;
    for (const member of this.#members) {
      if (member.state.name === "starting") {
        this.#stopBecause(member, { reason: `was not up ${limit}`, exitCode: 1 });
      } else if (member.state.name === "pending") {
        this.#skip(member, `${this.waitReason(member)}, which did not come ${limit}`);
      }
    }
  }

  /** The runtime hears of it at once, not when the service has stopped. */
  #stopBecause(member: Member, failure: Failure): void {
    this.#stop(member, failure);
    this.#giveUpIfCritical(member, failure, "boot");
  }

  #onExited(member: Member, exit: { code: number | null; signal: string | null; reason?: string }): void {
    const { state, planned } = member;
    const exitCode = exitCodeOf(exit);
    const how =
      exit.reason ?? (exit.signal === null ? `ended with ${exitCode}` : `was ended by ${exit.signal}`);
    member.exitCode = exitCode;
    if (state.name === "stopping") {
      const broken = exit.reason === undefined ? undefined : { reason: exit.reason, exitCode: 1 };
      this.#onEnded(member, state.failure ?? broken);
    } else if (planned.spec.task && exitCode === 0) {
      this.#onEnded(member, undefined);
    } else if (state.name === "starting") {
      const early = planned.spec.task ? "" : " before it had started";
      this.#onEnded(member, { reason: how + early, exitCode: 1 });
    } else if (exitCode === 0) {
      this.#onEnded(member, undefined);
      if (planned.spec.critical)
        this.#giveUp({ ...causeOf(member), reason: how, exitCode: 0, during: "run" });
    } else {
      this.#onEnded(member, { reason: how, exitCode });
    }
  }

  /** The last thing that happens to an incarnation. */
  #onEnded(member: Member, failure: Failure | undefined): void {
    const from = member.state.name;
    const sinceMs = this.#now;
    this.#disarm(member, "start");
    this.#disarm(member, "stop");
    this.#emit("unwatch", member);
    const completed = member.planned.spec.task && from === "starting";
    if (failure) this.#enter(member, { name: "failed", failure, sinceMs });
    else this.#enter(member, { name: completed ? "completed" : "stopped", sinceMs });
    if (failure && from !== "stopping")
      this.#giveUpIfCritical(member, failure, from === "starting" ? "boot" : "run");
  }

  #onLost({ index, reason }: { index: number; reason: string }): void {
    const member = this.#members[index];
    if (member?.state.name === "pending") this.#skip(member, reason);
  }

  #skip(member: Member, reason: string): void {
    this.#enter(member, { name: "skipped", reason, sinceMs: this.#now });
    this.#giveUpIfCritical(member, { reason, exitCode: 1 }, "boot");
  }

  #giveUpIfCritical(member: Member, failure: Failure, during: "boot" | "run"): void {
    if (!member.planned.spec.critical || (during === "boot" && this.#onFailure === "continue")) return;
    this.#giveUp({ ...causeOf(member), ...failure, during });
  }

  #giveUp(cause: Omit<Extract<Effect, { type: "give-up" }>, "type">): void {
    if (this.#givenUp || this.#stopping) return;
    this.#givenUp = true;
    this.#effects.push({ type: "give-up", ...cause });
  }

  /** A config of tasks alone has nothing to stay up for. */
  #endIfAllTasksAreDone(): void {
    if (this.#givenUp || this.boot !== "settled" || this.#stopOrder.alive > 0) return;
    if (this.#members.length === 0 || !this.#members.every(({ planned }) => planned.spec.task)) return;
    this.#giveUp({ reason: "all tasks are done", exitCode: 0, during: "run" });
  }

  // ── going down ──

  #onStopRequested(): void {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#startOrder.end();
    for (const member of this.#members) {
      if (member.state.name === "pending") this.#enter(member, { name: "stopped", sinceMs: this.#now });
    }
    this.#stopOrder.begin();
  }

  #stop(member: Member | undefined, failure?: Failure): void {
    if (!member || !isAlive(member.state) || member.state.name === "stopping") return;
    this.#disarm(member, "start");
    this.#emit("unwatch", member);
    const cause = failure ? { failure } : {};
    this.#enter(member, { ...cause, name: "stopping", sinceMs: this.#now });
    this.#arm(member, "stop", member.planned.spec.stopTimeoutMs);
    this.#emit("stop", member);
  }

  #onStopOverrun(member: Member): void {
    if (member.state.name === "stopping") this.#kill(member);
  }

  #kill(member: Member): void {
    if (!isAlive(member.state)) return;
    if (member.state.name === "stopping") member.lateMs ??= this.#now - member.state.sinceMs;
    this.#emit("kill", member);
  }

  /** The one place where a state changes. */
  #enter(member: Member, to: ServiceState): void {
    const from = member.state;
    member.state = transition(from, to);
    this.#version++;
    this.#startOrder.entered(member.index, from, to);
    this.#stopOrder.entered(member.index, from, to);
    const { service, incarnation } = target(member);
    const effect: Effect = { type: "announce", service, incarnation, from: from.name, to: to.name };
    if (member.pid !== undefined) effect.pid = member.pid;
    const reason = reasonOf(to);
    if (reason !== undefined) effect.reason = reason;
    this.#effects.push(effect);
  }

  #emit(type: "launch" | "stop" | "kill" | "unwatch", member: Member): void {
    const { service, incarnation } = target(member);
    this.#effects.push({ type, service, incarnation });
  }

  #watch(member: Member, probe: ProbeName): void {
    const { service, incarnation } = target(member);
    this.#effects.push({ type: "watch", probe, service, incarnation });
  }

  #arm(member: Member, deadline: Deadline, delayMs: number): void {
    const { service, incarnation } = target(member);
    if (delayMs !== Infinity) this.#effects.push({ type: "arm", deadline, delayMs, service, incarnation });
  }

  #disarm(member: Member, deadline: Deadline): void {
    const { service, incarnation } = target(member);
    this.#effects.push({ type: "disarm", deadline, service, incarnation });
  }
}

function target({ planned, incarnation }: Member): Target {
  return { service: planned.spec.name, incarnation };
}

function causeOf({ planned }: Member): { service: string } {
  return { service: planned.spec.name };
}

function reasonOf(state: ServiceState): string | undefined {
  if ("failure" in state) return state.failure?.reason;
  return "reason" in state ? state.reason : undefined;
}

function inWords(ms: number): string {
  return ms < 1000 ? `${ms}ms` : `${ms / 1000}s`;
}
