// Which service may start next: dependencies first, then phases of effective priority, then registration order under the
// concurrency limit. It hears of every change of state and only counts; launching is the fleet's business.
import { judge } from "./condition.ts";
import type { Plan } from "./plan.ts";
import { isSettled, type ServiceState } from "./service-state.ts";

/** How far boot has come: `held` when nothing moves until somebody calls `markReady`. */
export type Boot = "idle" | "moving" | "held" | "settled";

export class StartOrder {
  readonly #plan: Plan;
  readonly #concurrency: number;
  /** By service: positions of its dependencies that do not hold yet. A condition once met is met for this boot. */
  readonly #waiting: Set<number>[];
  /** By phase: services that have not settled. */
  readonly #unsettled: number[];
  /** Phases up to this one may start. */
  #openPhase = -1;
  #begun = false;
  #queue: number[] = [];
  #taken = 0;
  #lost: { index: number; reason: string }[] = [];
  #pending: number;
  #starting = 0;
  /** Services that run, with a readiness probe that does not say yes. */
  #probing = 0;

  constructor(plan: Plan, concurrency: number) {
    this.#plan = plan;
    this.#concurrency = concurrency;
    this.#waiting = plan.services.map(({ dependencies }) => new Set(dependencies.keys()));
    this.#unsettled = plan.phases.map((phase) => phase.length);
    this.#pending = plan.services.length;
  }

  get boot(): Boot {
    if (!this.#begun) return "idle";
    if (this.#pending === 0 && this.#starting === 0) return "settled";
    const moving = this.#starting > 0 || this.#probing > 0 || this.#taken < this.#queue.length;
    return moving ? "moving" : "held";
  }

  begin(): void {
    this.#begun = true;
    this.#openNextPhases();
  }

  /** Nothing starts any more. */
  end(): void {
    this.#queue = [];
    this.#taken = 0;
    this.#begun = false;
  }

  /** The index of a service that may start now; it is expected to enter `starting` at once. */
  takeNext(): number | undefined {
    if (this.#starting >= this.#concurrency) return undefined;
    const next = this.#queue[this.#taken];
    if (next !== undefined) this.#taken++;
    return next;
  }

  /** A pending service that can never start, because what it needs will never be. */
  takeLost(): { index: number; reason: string } | undefined {
    return this.#lost.pop();
  }

  /** To be told of every change of state, the launch of a starting service included. */
  entered(index: number, from: ServiceState, to: ServiceState): void {
    const planned = this.#plan.services[index];
    if (!planned) return;
    const { phase, spec } = planned;
    this.#pending += Number(to.name === "pending") - Number(from.name === "pending");
    this.#starting += Number(to.name === "starting") - Number(from.name === "starting");
    if (spec.readiness === "probe") this.#probing += Number(isProbing(to)) - Number(isProbing(from));
    for (const dependent of planned.dependents) this.#reconsider(dependent, index, to);
    if (!isSettled(from) && isSettled(to)) {
      this.#unsettled[phase] = (this.#unsettled[phase] ?? 0) - 1;
      if (this.#begun) this.#openNextPhases();
    }
  }

  /** What a pending service waits for, in words. */
  waitReason(index: number): string {
    const planned = this.#plan.services[index];
    for (const position of this.#waiting[index] ?? []) {
      const dependency = planned?.dependencies[position];
      if (dependency) return `waits for '${dependency.service}' to be ${dependency.condition}`;
    }
    const isOpen = (planned?.phase ?? 0) <= this.#openPhase;
    return isOpen ? "waits for a free place to start" : "waits for services of higher priority";
  }

  /** Opens phases as long as everything before them has settled. */
  #openNextPhases(): void {
    const { phases } = this.#plan;
    while (this.#openPhase < phases.length - 1 && (this.#unsettled[this.#openPhase] ?? 0) === 0) {
      this.#openPhase++;
      for (const index of phases[this.#openPhase] ?? []) {
        if (this.#waiting[index]?.size === 0) this.#queue.push(index);
      }
    }
  }

  #reconsider(dependent: number, index: number, state: ServiceState): void {
    const planned = this.#plan.services[dependent];
    const waiting = this.#waiting[dependent];
    if (!planned || !waiting || waiting.size === 0) return;
    for (const [position, dependency] of planned.dependencies.entries()) {
      if (dependency.index !== index || !waiting.has(position)) continue;
      const verdict = judge(dependency.condition, state);
      if (verdict === "lost" && dependency.required) {
        const fate = state.name === "failed" ? "failed" : `was ${state.name}`;
        this.#lost.push({ index: dependent, reason: `needs '${dependency.service}', which ${fate}` });
        return;
      }
      if (verdict === "waiting") continue;
      waiting.delete(position);
      if (waiting.size === 0 && planned.phase <= this.#openPhase) this.#queue.push(dependent);
    }
  }
}

function isProbing({ name }: ServiceState): boolean {
  return name === "started" || name === "unready";
}
