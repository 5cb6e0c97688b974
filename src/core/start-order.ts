// Which service may start next: dependencies first, then, while booting, phases of effective priority, then the order of asking
// under the concurrency limit. It hears of every change of state and only counts; launching is the fleet's business.
import { fateOf, judgeGroup, type Verdict } from "./condition.ts";
import type { Naming, Plan, PlannedDependency } from "./plan.ts";
import { isSettled, type ServiceState } from "./service-state.ts";

/** How far boot has come: `held` when nothing moves until somebody calls `markReady`. */
export type Boot = "idle" | "moving" | "held" | "settled";

export interface StartOrderOptions {
  /** How many may be starting at once. */
  concurrency: number;
  stateOf: (index: number) => ServiceState;
  /** Its readiness comes by itself: from a probe, or a check of its own. */
  isProbed: (index: number) => boolean;
}

export class StartOrder {
  readonly #plan: Plan;
  readonly #options: StartOrderOptions;
  /** By service: positions of its dependencies that do not hold. Absent: nobody has asked for it. */
  readonly #waiting: (Set<number> | undefined)[];
  /** By phase: services of this boot that have not settled. */
  readonly #unsettled: number[];
  /** Services of this boot that phases hold back or that have not settled. */
  readonly #booting = new Set<number>();
  /** Services of this boot that have not arrived where they belong. */
  readonly #coming = new Set<number>();
  /** Phases up to this one may start. */
  #openPhase = -1;
  #begun = false;
  /** Nothing starts any more. */
  #over = false;
  #queue: number[] = [];
  #taken = 0;
  #lost: { index: number; reason: string }[] = [];
  #starting = 0;
  /** Services that run, with a readiness probe that does not say yes. */
  #probing = 0;
  /** Services that are started again in a while. */
  #backingOff = 0;
  /** Services that stop, and may come back. */
  #stopping = 0;

  constructor(plan: Plan, options: StartOrderOptions) {
    this.#plan = plan;
    this.#options = options;
    this.#waiting = plan.services.map(() => undefined);
    this.#unsettled = plan.phases.map(() => 0);
  }

  get boot(): Boot {
    if (!this.#begun) return "idle";
    if (this.#coming.size === 0) return "settled";
    const moving = this.#starting + this.#probing + this.#backingOff + this.#stopping;
    return moving > 0 || this.#taken < this.#queue.length ? "moving" : "held";
  }

  /** It belongs to the boot and has not yet come up, or settled otherwise. */
  isComing(index: number): boolean {
    return this.#coming.has(index);
  }

  /** Somebody wants it to start. */
  isAsked(index: number): boolean {
    return this.#waiting[index] !== undefined;
  }

  /** Boots these, in their phases. */
  begin(indexes: readonly number[]): void {
    this.#begun = true;
    for (const index of indexes) {
      this.#booting.add(index);
      this.#coming.add(index);
      const phase = this.#plan.services[index]?.phase ?? 0;
      this.#unsettled[phase] = (this.#unsettled[phase] ?? 0) + 1;
    }
    for (const index of indexes) this.ask(index);
    this.#openNextPhases();
  }

  /** A pending service wants to start: as soon as its dependencies hold, seen from now. */
  ask(index: number): void {
    if (this.#over) return;
    this.#waiting[index] = new Set();
    if (this.#isFree(index)) this.#offer(index);
  }

  /** Nothing starts any more. */
  end(): void {
    this.#queue = [];
    this.#taken = 0;
    this.#begun = false;
    this.#over = true;
    this.#waiting.fill(undefined);
  }

  /** The index of a service that may start now; it is expected to enter `starting` at once. */
  takeNext(): number | undefined {
    while (this.#starting < this.#options.concurrency) {
      const next = this.#queue[this.#taken];
      if (next === undefined) {
        this.#queue = [];
        this.#taken = 0;
        return undefined;
      }
      this.#taken++;
      // What it needs may have gone again while it stood in line, or be about to; it is then offered anew.
      if (this.#waiting[next]?.size === 0 && this.#isFree(next)) return next;
    }
    return undefined;
  }

  /** A pending service that can never start, because what it needs will never be. */
  takeLost(): { index: number; reason: string } | undefined {
    return this.#lost.pop();
  }

  /** To be told of every change of state, the launch of a starting service included. */
  entered(index: number, from: ServiceState, to: ServiceState): void {
    const planned = this.#plan.services[index];
    if (!planned) return;
    if (from.name === "pending" && to.name !== "pending") this.#waiting[index] = undefined;
    this.#starting += Number(to.name === "starting") - Number(from.name === "starting");
    this.#backingOff += Number(to.name === "backoff") - Number(from.name === "backoff");
    this.#stopping += Number(to.name === "stopping") - Number(from.name === "stopping");
    if (this.#options.isProbed(index)) this.#probing += Number(isProbing(to)) - Number(isProbing(from));
    for (const naming of planned.namedBy) this.#reconsider(naming);
    if (hasArrived(to)) this.#coming.delete(index);
    if (isSettled(to) && this.#booting.delete(index)) {
      this.#unsettled[planned.phase] = (this.#unsettled[planned.phase] ?? 0) - 1;
      if (this.#begun) this.#openNextPhases();
    }
  }

  /** What a pending service waits for, in words: the dependency that is nearest, or else the service of higher priority. */
  waitsFor(index: number): {
    dependency?: PlannedDependency;
    barrier?: number;
    byTime?: true;
    reason: string;
  } {
    const planned = this.#plan.services[index];
    const waiting = this.#waiting[index];
    if (this.#over) return { reason: "is not started any more" };
    if (waiting === undefined) {
      return planned?.spec.schedule
        ? { byTime: true, reason: "waits for its time" }
        : { reason: "waits to be started" };
    }
    for (const position of waiting) {
      const dependency = planned?.dependencies[position];
      if (dependency)
        return { dependency, reason: `waits for '${dependency.service}' to be ${dependency.condition}` };
    }
    const barrier = this.#booting.has(index) ? this.#barrierOf(planned?.phase ?? 0) : undefined;
    if (barrier === undefined) return { reason: "waits for a free place to start" };
    const { name } = this.#plan.services[barrier]?.spec ?? {};
    return { barrier, reason: `waits for '${name}', which has a higher priority` };
  }

  /** A service of this boot that has not settled and of which a closed phase waits. */
  #barrierOf(phase: number): number | undefined {
    if (phase <= this.#openPhase) return undefined;
    return this.#plan.phases[this.#openPhase]?.find((index) => this.#booting.has(index));
  }

  /** Opens phases as long as everything before them has settled. */
  #openNextPhases(): void {
    const { phases } = this.#plan;
    while (this.#openPhase < phases.length - 1 && (this.#unsettled[this.#openPhase] ?? 0) === 0) {
      this.#openPhase++;
      for (const index of phases[this.#openPhase] ?? []) {
        if (this.#booting.has(index) && this.#waiting[index]?.size === 0) this.#queue.push(index);
      }
    }
  }

  #reconsider({ dependent, position }: Naming): void {
    const waiting = this.#waiting[dependent];
    const dependency = this.#plan.services[dependent]?.dependencies[position];
    if (!waiting || !dependency) return;
    const verdict = this.#judge(dependency);
    if (verdict === "lost" && dependency.required) this.#lose(dependent, dependency);
    else if (verdict === "waiting") waiting.add(position);
    else if (waiting.delete(position) && waiting.size === 0) this.#offer(dependent);
  }

  /** Whether everything it needs holds now; notes what does not. */
  #isFree(index: number): boolean {
    const { dependencies = [] } = this.#plan.services[index] ?? {};
    const waiting = this.#waiting[index];
    for (const [position, dependency] of dependencies.entries()) {
      const verdict = this.#judge(dependency);
      if (verdict === "lost" && dependency.required) this.#lose(index, dependency);
      if (verdict === "waiting") waiting?.add(position);
    }
    return waiting?.size === 0;
  }

  #judge({ condition, indexes }: PlannedDependency): Verdict {
    return judgeGroup(condition, indexes, this.#options.stateOf);
  }

  #lose(index: number, { service, indexes }: PlannedDependency): void {
    const fate = fateOf(indexes.map((each) => this.#options.stateOf(each)));
    this.#lost.push({ index, reason: `needs '${service}', which ${fate}` });
  }

  /** Queues it, unless the boot has not come to its phase. */
  #offer(index: number): void {
    const isBarred = this.#booting.has(index) && (this.#plan.services[index]?.phase ?? 0) > this.#openPhase;
    if (!isBarred) this.#queue.push(index);
  }
}

function isProbing({ name }: ServiceState): boolean {
  return name === "started" || name === "unready";
}

/** Boot is over for it: it is up, or will not come. */
function hasArrived({ name }: ServiceState): boolean {
  return name !== "pending" && name !== "starting" && name !== "backoff" && name !== "stopping";
}
