// What happens to one service: it comes up, answers its probes, ends, and is tried again as its policy allows. Takes what is
// told of a member, moves it from state to state and collects the effects; the orders hear of every move. Whose turn it is to
// start or stop is not decided here.
import type { Deadline, Effect, FleetEvent, ProbeName, Target } from "./event.ts";
import { endingOf } from "./exit.ts";
import { announcement, isNoLoss, isReplaced, type Member, thoseThatFollow } from "./member.ts";
import { inWords, nextRestart, wantsRestart } from "./restart.ts";
import { type Failure, isAlive, type ServiceState, transition } from "./service-state.ts";
import type { StartOrder } from "./start-order.ts";
import type { StopOrder } from "./stop-order.ts";

export interface LifecycleOptions {
  members: readonly Member[];
  startOrder: StartOrder;
  stopOrder: StopOrder;
  /** The runtime does without it should it fail. */
  isTolerated: (member: Member) => boolean;
  endures: boolean;
  random: () => number;
}

/** What is told of one incarnation. */
type ServiceEvent = Extract<FleetEvent, Target>;
type Cause = Omit<Extract<Effect, { type: "give-up" }>, "type">;

export class Lifecycle {
  readonly #options: LifecycleOptions;
  #now = 0;
  #effects: Effect[] = [];
  #givenUp = false;
  /** Everything goes down: nothing is tried again. */
  isEnding = false;
  /** Raised by every change that the outside can see. */
  version = 0;
  /** Modules given up while their code still ran in this process: they are never replaced in it. */
  abandoned: ReadonlySet<string> = new Set();

  constructor(options: LifecycleOptions) {
    this.#options = options;
  }

  /** The effects of what follows are collected in the array that this returns. */
  begin(nowMs: number): Effect[] {
    this.#now = nowMs;
    this.#effects = [];
    return this.#effects;
  }

  tell(member: Member, event: ServiceEvent): void {
    if (member.incarnation !== event.incarnation) return;
    if (event.type === "deadline-passed") return this.#onDeadline(member, event.deadline);
    if (!isAlive(member.state)) return;
    switch (event.type) {
      case "service-launched":
        return this.#onLaunched(member, event);
      case "service-launch-failed":
        return this.#onExited(member, { code: null, signal: null, reason: event.reason });
      case "service-exited":
        return this.#onExited(member, event);
      case "service-marked-ready":
        member.markedReady = true;
        return member.state.name === "started" ? this.#becomeReady(member) : undefined;
      case "probe-passed":
        return this.#onProbePassed(member, event.probe);
      case "probe-failed":
        return this.#onProbeFailed(member, event);
      default:
        return event satisfies never;
    }
  }

  // ── coming up ──

  /** Makes it pending: it starts as soon as its dependencies hold. */
  await(member: Member): void {
    if (this.abandoned.has(member.planned.spec.name)) return this.#refuse(member);
    this.#letGo(member);
    const { state } = member;
    const cause = state.name === "backoff" ? { failure: state.failure } : {};
    if (state.name !== "pending") this.#enter(member, { ...cause, name: "pending", sinceMs: this.#now });
    this.#options.startOrder.ask(member.index);
  }

  /** Code of an earlier instance still runs in this process. */
  #refuse(member: Member): void {
    const reason = "an earlier instance was abandoned and still runs in this process";
    if (member.state.name === "pending") this.skip(member, reason);
    else this.#giveUpIfCritical(member, { reason, exitCode: 1 });
  }

  launch(member: Member): void {
    if (member.state.name !== "pending") return;
    member.incarnation++;
    member.isLate = !this.#options.startOrder.isComing(member.index);
    member.readiness = member.planned.spec.readiness;
    member.markedReady = false;
    member.wasReady = false;
    delete member.pid;
    delete member.upSinceMs;
    delete member.lateMs;
    this.#enter(member, { name: "starting", launched: false, sinceMs: this.#now });
    this.#arm(member, "start", member.planned.spec.startTimeoutMs);
    this.#emit("launch", member);
  }

  #onLaunched(member: Member, said: { pid?: number; manual?: boolean; health?: boolean }): void {
    const { state, planned } = member;
    if (state.name !== "starting") return;
    if (said.pid !== undefined) member.pid = said.pid;
    if (member.readiness === "started" && said.health) member.readiness = "probe";
    if (member.readiness === "started" && said.manual) member.readiness = "manual";
    member.state = { ...state, launched: true };
    this.#options.startOrder.entered(member.index, state, member.state);
    if (planned.spec.startupProbe) this.#watch(member, "startup");
    else if (!planned.spec.task) this.#becomeStarted(member);
  }

  #becomeStarted(member: Member): void {
    const { readiness, planned } = member;
    this.#letGo(member);
    member.upSinceMs = this.#now;
    member.wasUp = true;
    this.#enter(member, { name: "started", sinceMs: this.#now });
    if (planned.spec.livenessProbe) this.#watch(member, "liveness");
    if (readiness === "probe") this.#watch(member, "readiness");
    this.#restartDependents(member, "started");
    if (readiness === "started" || member.markedReady) this.#becomeReady(member);
  }

  #becomeReady(member: Member): void {
    this.#enter(member, { name: "ready", sinceMs: this.#now });
    if (!member.wasReady) this.#restartDependents(member, "ready");
    member.wasReady = true;
  }

  /** Those that want to be, when what they depend on has come back. */
  #restartDependents(member: Member, condition: "started" | "ready"): void {
    if (!member.planned.isFollowed) return;
    const { members, stopOrder } = this.#options;
    for (const index of thoseThatFollow(member, { condition, members })) {
      (members[index] as Member).after = "restart";
      stopOrder.ask([index]);
    }
  }

  #onProbePassed(member: Member, probe: ProbeName): void {
    const { name } = member.state;
    if (probe === "startup" && name === "starting" && !member.planned.spec.task) this.#becomeStarted(member);
    if (probe === "readiness" && (name === "started" || name === "unready")) this.#becomeReady(member);
  }

  #onProbeFailed(member: Member, { probe, reason }: { probe: ProbeName; reason: string }): void {
    const { state } = member;
    const isUp = state.name === "started" || state.name === "ready" || state.name === "unready";
    if (!isUp || probe === "startup") return;
    if (probe === "liveness") {
      this.#stopBecause(member, { reason: `liveness probe fails: ${reason}`, exitCode: 1 });
    } else if (state.name === "ready") {
      this.#enter(member, { name: "unready", reason, sinceMs: this.#now });
    } else {
      this.version += Number(state.reason !== reason);
      member.state = { ...state, reason };
    }
  }

  // ── going wrong ──

  #onDeadline(member: Member, deadline: Deadline): void {
    const { state, planned } = member;
    if (deadline === "stop" && state.name === "stopping") return this.kill(member);
    if (deadline === "backoff" && state.name === "backoff") return this.await(member);
    if (deadline !== "start" || state.name !== "starting") return;
    const missing = planned.spec.task ? "complete" : state.launched ? "pass its startup probe" : "start";
    const reason = `did not ${missing} within its startTimeout of ${inWords(planned.spec.startTimeoutMs)}`;
    this.#stopBecause(member, { reason, exitCode: 1 });
  }

  /** The time for the whole start is over before it has come up; `waitsFor` says what a pending one still waits for. */
  overrun(member: Member, { limit, waitsFor }: { limit: string; waitsFor: string }): void {
    const { state } = member;
    const failure = { reason: `was not up ${limit}`, exitCode: 1 };
    if (member.after === "hold") return;
    if (state.name === "pending") return this.skip(member, `${waitsFor}, which did not come ${limit}`);
    delete member.after;
    if (state.name === "starting") return this.#stopBecause(member, failure, { isFinal: true });
    if (state.name === "stopping") member.state = { failure, ...state };
    else if (state.name === "backoff") this.#fail(member, failure);
    this.#giveUpIfCritical(member, failure);
  }

  /** Where it is not tried again the runtime hears of it at once, not when the service has stopped. */
  #stopBecause(member: Member, failure: Failure, { isFinal = false } = {}): void {
    const { inProcess, restart } = member.planned.spec;
    const isOver = isFinal || (inProcess && member.state.name === "starting") || !wantsRestart(restart, true);
    // What somebody has asked for comes before what the policy says.
    const isAsked = member.after !== undefined;
    if (!isOver && !isAsked) member.after = "retry";
    this.stop(member, failure);
    if (isOver && !isAsked) this.#giveUpIfCritical(member, failure);
  }

  /** `reason` without a code or signal: it never came up. */
  #onExited(member: Member, exit: { code: number | null; signal: string | null; reason?: string }): void {
    const { state, planned } = member;
    const { code, signal, reason } = exit;
    const { how, exitCode } = endingOf(exit);
    if (code !== null || signal !== null) member.lastExit = { code, signal, atMs: this.#now };
    if (state.name === "stopping") return this.#onStopped(member, state.failure, reason);
    if (member.after !== undefined && !this.isEnding) {
      // It was to stop, and has ended before its turn came.
      this.#leave(member);
      return this.#onStopped(member, undefined, reason);
    }
    if (planned.spec.task && exitCode === 0)
      return this.#settle(member, { name: "completed", sinceMs: this.#now });
    const isEarly = state.name === "starting" && !planned.spec.task && reason === undefined;
    this.#onEnded(
      member,
      isEarly
        ? { reason: `${how} before it had started`, exitCode: exitCode || 1 }
        : { reason: how, exitCode },
    );
  }

  /** It has ended because it was told to: `cause` is why, `broken` how its `shutdown()` failed. */
  #onStopped(member: Member, cause: Failure | undefined, broken: string | undefined): void {
    const { after, planned, lateMs } = member;
    const failure = cause ?? (broken === undefined ? undefined : { reason: broken, exitCode: 1 });
    // What was abandoned may still hold what a new instance would need.
    const isAbandoned = planned.spec.inProcess && lateMs !== undefined && broken !== undefined;
    if (isAbandoned) this.abandoned = new Set([...this.abandoned, planned.spec.name]);
    delete member.after;
    if (failure && after !== undefined && isAbandoned && !this.isEnding) {
      this.#fail(member, { reason: broken, exitCode: 1 });
      if (after !== "hold") this.#giveUpIfCritical(member, failure);
    } else if (after === undefined || this.isEnding) {
      // What would have been tried again has not failed for good; its `shutdown()` may have.
      if (failure && (after === undefined || broken !== undefined)) this.#fail(member, failure);
      else this.#settle(member, { name: "stopped", sinceMs: this.#now });
    } else if (after === "hold") {
      this.#settle(member, { name: "stopped", held: true, sinceMs: this.#now });
    } else if (after === "retry" && failure) {
      this.#onEnded(member, failure);
    } else {
      this.await(member);
    }
  }

  /** It has ended, with a `failure.exitCode` of 0 in good order: it is tried again as its policy allows, or over. */
  #onEnded(member: Member, failure: Failure): void {
    const { spec } = member.planned;
    const isBad = failure.exitCode !== 0;
    if (!this.isEnding && wantsRestart(spec.restart, isBad)) return this.#retry(member, failure);
    if (isBad) {
      this.#fail(member, failure);
      return this.#giveUpIfCritical(member, failure);
    }
    this.#settle(member, { name: "stopped", sinceMs: this.#now });
    if (spec.critical && !isReplaced(member, this.#options.members)) this.#giveUp(member, failure);
  }

  #retry(member: Member, failure: Failure): void {
    const { planned, restarts, upSinceMs } = member;
    const ending = {
      nowMs: this.#now,
      random: this.#options.random(),
      ...(upSinceMs !== undefined && { upSinceMs }),
    };
    const verdict = nextRestart(planned.spec.restart, restarts, ending);
    if (!verdict.restart) {
      const final = { reason: `${failure.reason}; ${verdict.reason}`, exitCode: failure.exitCode || 1 };
      this.#fail(member, final);
      return this.#giveUpIfCritical(member, final);
    }
    const { delayMs, history } = verdict;
    member.restarts = history;
    this.#letGo(member);
    const reason = delayMs === 0 ? failure.reason : `${failure.reason}; restarts in ${inWords(delayMs)}`;
    const sinceMs = this.#now;
    this.#enter(member, {
      name: "backoff",
      failure: { ...failure, reason },
      untilMs: sinceMs + delayMs,
      sinceMs,
    });
    if (delayMs === 0) this.await(member);
    else this.#arm(member, "backoff", delayMs);
  }

  #fail(member: Member, failure: Failure): void {
    this.#settle(member, { name: "failed", failure, sinceMs: this.#now });
  }

  /** The last thing that happens to an incarnation. */
  #settle(member: Member, state: ServiceState): void {
    this.#letGo(member);
    this.#enter(member, state);
    if (!member.isDue || this.isEnding) return;
    member.isDue = false;
    this.await(member);
  }

  skip(member: Member, reason: string): void {
    const { state } = member;
    if (state.name !== "pending") return;
    member.isLate = !this.#options.startOrder.isComing(member.index);
    this.#enter(member, { name: "skipped", reason, sinceMs: this.#now });
    this.#giveUpIfCritical(member, { reason, exitCode: state.failure?.exitCode || 1 });
  }

  #giveUpIfCritical(member: Member, failure: Failure): void {
    const { isTolerated, members } = this.#options;
    const isSpared = isTolerated(member) || isReplaced(member, members) || isNoLoss(member, members);
    if (member.planned.spec.critical && !isSpared) this.#giveUp(member, failure);
  }

  /** A start that never was counts as 1, whatever the code. */
  #giveUp({ planned, wasUp }: Member, { reason, exitCode }: Failure): void {
    const during = wasUp ? "run" : "boot";
    this.giveUp({ service: planned.spec.name, reason, exitCode: wasUp ? exitCode : 1, during });
  }

  giveUp(cause: Cause): void {
    if (this.#options.endures || this.#givenUp || this.isEnding) return;
    this.#givenUp = true;
    // A boot that has failed goes no further.
    if (cause.during === "boot" || this.#options.startOrder.boot !== "settled")
      this.#options.startOrder.end();
    this.#effects.push({ type: "give-up", ...cause });
  }

  // ── going down ──

  /** One that has nothing running is down at once. */
  hold(member: Member): void {
    member.isDue = false;
    this.#letGo(member);
    if (member.state.name === "stopped") member.state = { ...member.state, held: true };
    else this.#enter(member, { name: "stopped", held: true, sinceMs: this.#now });
  }

  stop(member: Member, failure?: Failure): void {
    if (!isAlive(member.state) || member.state.name === "stopping") return;
    this.#leave(member, failure);
    this.#arm(member, "stop", member.planned.spec.stopTimeoutMs);
    this.#emit("stop", member);
  }

  /** One that has not been asked to stop is not asked any more. */
  kill(member: Member): void {
    if (!isAlive(member.state)) return;
    if (member.state.name !== "stopping") this.#leave(member);
    member.lateMs ??= this.#now - member.state.sinceMs;
    this.#emit("kill", member);
  }

  #leave(member: Member, failure?: Failure): void {
    this.#letGo(member);
    const cause = failure ? { failure } : {};
    this.#enter(member, { ...cause, name: "stopping", sinceMs: this.#now });
  }

  // ── effects ──

  /** The one place where a state changes. */
  #enter(member: Member, to: ServiceState): void {
    const from = member.state;
    member.state = transition(from, to);
    this.version++;
    this.#options.stopOrder.entered(member.index, from, to);
    this.#options.startOrder.entered(member.index, from, to);
    this.#effects.push(announcement(member, from));
  }

  /** Its deadline and its probes. */
  #letGo(member: Member): void {
    if (member.isTimed) this.#emit("disarm", member);
    if (member.isWatched) this.#emit("unwatch", member);
    member.isTimed = false;
    member.isWatched = false;
  }

  #emit(type: "launch" | "stop" | "kill" | "unwatch" | "disarm", { planned, incarnation }: Member): void {
    this.#effects.push({ type, service: planned.spec.name, incarnation });
  }

  #watch(member: Member, probe: ProbeName): void {
    const { planned, incarnation } = member;
    member.isWatched = true;
    this.#effects.push({ type: "watch", probe, service: planned.spec.name, incarnation });
  }

  #arm(member: Member, deadline: Deadline, delayMs: number): void {
    if (delayMs === Infinity) return;
    const { planned, incarnation } = member;
    member.isTimed = true;
    this.#effects.push({ type: "arm", deadline, delayMs, service: planned.spec.name, incarnation });
  }
}
