// All services and what they are doing. One event in, a list of effects out; the same events at the same times give the same
// effects. A fold costs what it touches: the orders keep counts, so nothing is searched.
import type { Effect, FleetEvent } from "./event.ts";
import { Lifecycle } from "./lifecycle.ts";
import { adopt, createMember, type FleetMember, isHeld, type Member, wasEverUp } from "./member.ts";
import type { Plan } from "./plan.ts";
import { forgiven, inWords } from "./restart.ts";
import { isAlive, isSettled, type ServiceState } from "./service-state.ts";
import { type Boot, StartOrder } from "./start-order.ts";
import { StopOrder } from "./stop-order.ts";

export interface FleetOptions {
  /** How many services may be starting at once. Default: no limit. */
  concurrency?: number;
  /** `continue`: a service that does not come up only degrades the runtime. Default: `rollback`. */
  onFailure?: "rollback" | "continue";
  /** Nothing that happens to services ends the runtime: what has failed stays so until it is asked for. Default: false. */
  endures?: boolean;
  /** From 0 up to 1, for the jitter of backoffs. Default: always 1, the longest wait. */
  random?: () => number;
}

const LEAVING: ServiceState = { name: "stopping", sinceMs: 0 };

export class Fleet {
  readonly #members: Member[];
  readonly #byName: Map<string, Member>;
  readonly #startOrder: StartOrder;
  readonly #stopOrder: StopOrder;
  readonly #lifecycle: Lifecycle;
  readonly #onFailure: "rollback" | "continue";

  constructor(plan: Plan, options: FleetOptions = {}) {
    const { concurrency = Infinity, onFailure = "rollback", endures = false, random = () => 1 } = options;
    const members = plan.services.map(createMember);
    this.#members = members;
    this.#byName = new Map(members.map((member) => [member.planned.spec.name, member]));
    const stopOrder = new StopOrder(plan);
    const startOrder = new StartOrder(plan, {
      concurrency,
      // What is about to stop is nothing to build upon.
      stateOf: (index) => (stopOrder.isAsked(index) ? LEAVING : (members[index] as Member).state),
      isProbed: (index) => members[index]?.readiness === "probe",
    });
    this.#startOrder = startOrder;
    this.#stopOrder = stopOrder;
    this.#onFailure = onFailure;
    const isTolerated = (member: Member) => this.isTolerated(member);
    this.#lifecycle = new Lifecycle({ members, startOrder, stopOrder, isTolerated, endures, random });
  }

  /** Raised by every change that the outside can see. */
  get version(): number {
    return this.#lifecycle.version;
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

  /** The names of those that are not ready yet, in this incarnation, and may still become so. */
  get unready(): string[] {
    const isToBe = ({ planned, state, wasReady }: Member): boolean =>
      !planned.spec.schedule &&
      !wasReady &&
      !["completed", "stopping", "stopped", "failed", "skipped"].includes(state.name);
    return this.#members.filter(isToBe).map(({ planned }) => planned.spec.name);
  }

  /** It belongs to the boot and has not come up yet. */
  isComing({ index }: FleetMember): boolean {
    return this.#startOrder.isComing(index);
  }

  /** The runtime does without it should it fail: it has never been there. */
  isTolerated(member: FleetMember): boolean {
    return this.#onFailure === "continue" && !wasEverUp(member, this.#members);
  }

  /** Code of it that was given up still runs in this process, so it is not started again. */
  isAbandoned(service: string): boolean {
    return this.#lifecycle.abandoned.has(service);
  }

  /** Nothing runs any more, and nothing will start. */
  get ended(): boolean {
    return this.#lifecycle.isEnding && this.#stopOrder.alive === 0;
  }

  /** What a pending service waits for, in words, and the dependency if it is one. */
  waitsFor({ index }: FleetMember): ReturnType<StartOrder["waitsFor"]> {
    return this.#startOrder.waitsFor(index);
  }

  /**
   * Goes on where `other` is, whose boot is over: services of the same name are what they were, except that `fresh` ones, which
   * are expected to be down, begin anew. What was abandoned never does.
   */
  takeOver(other: Fleet, fresh: ReadonlySet<string>): void {
    this.#lifecycle.version = other.version + 1;
    this.#lifecycle.abandoned = other.#lifecycle.abandoned;
    this.#startOrder.begin([]);
    const leaving: number[] = [];
    for (const member of this.#members) {
      const predecessor = other.member(member.planned.spec.name);
      if (!predecessor) continue;
      const from = member.state;
      member.incarnation = predecessor.incarnation;
      member.restarts = forgiven(predecessor.restarts);
      if (fresh.has(member.planned.spec.name) && !other.isAbandoned(member.planned.spec.name)) continue;
      adopt(member, predecessor);
      this.#startOrder.entered(member.index, from, member.state);
      this.#stopOrder.entered(member.index, from, member.state);
      if (other.#stopOrder.isAsked(predecessor.index)) leaving.push(member.index);
    }
    this.#stopOrder.ask(leaving);
    for (const { index, planned, state } of this.#members) {
      const isPending = state.name === "pending" && !fresh.has(planned.spec.name);
      if (isPending && other.#isAsked(planned.spec.name)) this.#startOrder.ask(index);
    }
  }

  /** Takes one event. `nowMs` is on a monotonic scale and never goes back. */
  fold(event: FleetEvent, nowMs: number): Effect[] {
    const effects = this.#lifecycle.begin(nowMs);
    this.#take(event);
    this.#follow();
    this.#endIfAllTasksAreDone();
    return effects;
  }

  #take(event: FleetEvent): void {
    switch (event.type) {
      case "boot-requested":
        return this.#startOrder.begin(
          this.#members.filter(({ planned }) => !planned.spec.schedule).map(({ index }) => index),
        );
      case "boot-cancelled":
        return this.#startOrder.end();
      case "startup-timed-out":
        return this.#onStartupTimedOut(event.timeoutMs);
      case "start-requested":
        return this.#named(event.services).forEach((member) => this.#start(member));
      case "hold-requested":
        return this.#takeDown(this.#named(event.services), "hold");
      case "restart-requested":
        return this.#takeDown(this.#named(event.services), "restart");
      case "schedule-came-due":
        return this.#named([event.service]).forEach((member) => this.#onDue(member));
      case "stop-requested":
        return this.#onStopRequested();
      case "kill-requested":
        this.#onStopRequested();
        return this.#members.forEach((member) => this.#lifecycle.kill(member));
      default: {
        const member = this.#byName.get(event.service);
        return member && this.#lifecycle.tell(member, event);
      }
    }
  }

  /** Does what the orders allow now, until they allow nothing more. */
  #follow(): void {
    let moved = true;
    while (moved) {
      moved = false;
      for (let lost = this.#startOrder.takeLost(); lost; lost = this.#startOrder.takeLost()) {
        moved = true;
        this.#lifecycle.skip(this.#members[lost.index] as Member, lost.reason);
      }
      for (let next = this.#startOrder.takeNext(); next !== undefined; next = this.#startOrder.takeNext()) {
        moved = true;
        this.#lifecycle.launch(this.#members[next] as Member);
      }
      for (let next = this.#stopOrder.takeNext(); next !== undefined; next = this.#stopOrder.takeNext()) {
        moved = true;
        this.#lifecycle.stop(this.#members[next] as Member);
      }
    }
  }

  #onStartupTimedOut(timeoutMs: number): void {
    if (this.boot !== "moving") return;
    const limit = `within runtime.startup.timeout of ${inWords(timeoutMs)}`;
    for (const member of this.#members) {
      if (!this.isComing(member)) continue;
      this.#lifecycle.overrun(member, { limit, waitsFor: this.waitsFor(member).reason });
    }
  }

  /** A config of tasks alone has nothing to stay up for. */
  #endIfAllTasksAreDone(): void {
    if (this.boot !== "settled" || this.#stopOrder.alive > 0 || this.#members.length === 0) return;
    const isDone = ({ planned, state }: Member) =>
      planned.spec.task && !planned.spec.schedule && isSettled(state) && state.name !== "backoff";
    if (!this.#members.every(isDone)) return;
    const missing = this.#members.filter(
      ({ planned, state }) => planned.spec.critical && state.name !== "completed",
    );
    const names = missing.map(({ planned }) => `'${planned.spec.name}'`).join(", ");
    const reason =
      missing.length === 0 ? "all tasks are done" : `all tasks are over, ${names} without success`;
    this.#lifecycle.giveUp({ reason, exitCode: missing.length === 0 ? 0 : 1, during: "run" });
  }

  // ── what operators and schedules ask for ──

  #named(services: readonly string[]): Member[] {
    if (this.#lifecycle.isEnding) return [];
    return services.flatMap((service) => this.#byName.get(service) ?? []);
  }

  #isAsked(service: string): boolean {
    const member = this.#byName.get(service);
    return member !== undefined && this.#startOrder.isAsked(member.index);
  }

  /** Up again, with a clean slate. One that comes up by itself is left alone, one that goes down comes back. */
  #start(member: Member): void {
    const { name } = member.state;
    if (name === "stopping" || member.after === "hold") member.after = "restart";
    else if (!isAlive(member.state) && !(name === "pending" && this.#startOrder.isAsked(member.index))) {
      member.restarts = forgiven(member.restarts);
      this.#lifecycle.await(member);
    }
  }

  #takeDown(members: readonly Member[], after: "hold" | "restart"): void {
    for (const member of members) {
      const { state, planned } = member;
      if (after === "hold") member.isDue = false;
      if (isAlive(state)) member.after = after;
      else if (after === "restart") this.#start(member);
      // What a task has done is done, and what was abandoned does not come back.
      else if ((state.name !== "completed" || planned.spec.schedule) && !this.isAbandoned(planned.spec.name))
        this.#lifecycle.hold(member);
    }
    this.#stopOrder.ask(members.map(({ index }) => index));
  }

  #onDue(member: Member): void {
    if (isHeld(member)) return;
    const overlap = member.planned.spec.schedule?.overlap;
    const isBusy =
      isAlive(member.state) || member.state.name === "backoff" || this.#startOrder.isAsked(member.index);
    if (!isBusy) this.#start(member);
    else if (overlap === "queue") member.isDue = true;
    else if (overlap === "replace") this.#takeDown([member], "restart");
  }

  #onStopRequested(): void {
    if (this.#lifecycle.isEnding) return;
    this.#lifecycle.isEnding = true;
    this.#startOrder.end();
    for (const member of this.#members) {
      if (member.state.name === "pending" || member.state.name === "backoff") this.#lifecycle.hold(member);
    }
    this.#stopOrder.askAll();
  }
}
