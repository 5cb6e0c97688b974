// Which service may stop next: the start order walked backwards. A service stops when all that depend on it have stopped
// and the phases after its own have emptied. Like the start order it only counts.
import type { Plan } from "./plan.ts";
import { isAlive, type ServiceState } from "./service-state.ts";

export class StopOrder {
  readonly #plan: Plan;
  /** By phase: services of which something runs. */
  readonly #alive: number[];
  /** By service: dependents of which something runs. */
  readonly #aliveDependents: number[];
  #aliveTotal = 0;
  #begun = false;
  /** The phase that is stopping; those after it have stopped. */
  #phase: number;
  #queue: number[] = [];

  constructor(plan: Plan) {
    this.#plan = plan;
    this.#alive = plan.phases.map(() => 0);
    this.#aliveDependents = plan.services.map(() => 0);
    this.#phase = plan.phases.length;
  }

  /** Services of which something runs. */
  get alive(): number {
    return this.#aliveTotal;
  }

  begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    this.#goBack();
  }

  /** The index of a service that may stop now. */
  takeNext(): number | undefined {
    return this.#queue.pop();
  }

  /** To be told of every change of state. */
  entered(index: number, from: ServiceState, to: ServiceState): void {
    const change = Number(isAlive(to)) - Number(isAlive(from));
    const planned = this.#plan.services[index];
    if (change === 0 || !planned) return;
    this.#aliveTotal += change;
    this.#alive[planned.phase] = (this.#alive[planned.phase] ?? 0) + change;
    for (const dependency of planned.needs) {
      this.#aliveDependents[dependency] = (this.#aliveDependents[dependency] ?? 0) + change;
      if (this.#begun && this.#plan.services[dependency]?.phase === this.#phase)
        this.#queueIfFree(dependency);
    }
    if (this.#begun && this.#alive[this.#phase] === 0) this.#goBack();
  }

  /** Goes to the next phase, backwards, of which something runs. */
  #goBack(): void {
    do this.#phase--;
    while (this.#phase >= 0 && this.#alive[this.#phase] === 0);
    for (const index of this.#plan.phases[this.#phase] ?? []) this.#queueIfFree(index);
  }

  #queueIfFree(index: number): void {
    if (this.#aliveDependents[index] === 0) this.#queue.push(index);
  }
}
