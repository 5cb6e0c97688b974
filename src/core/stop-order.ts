// Which service may stop next: the start order walked backwards. Of the services that are to stop, one stops when those that
// depend on it have; when all are to stop, the phases after its own have emptied, too. Like the start order it only counts.
import type { Plan } from "./plan.ts";
import { isAlive, type ServiceState } from "./service-state.ts";

export class StopOrder {
  readonly #plan: Plan;
  /** By service: something of it runs. */
  readonly #isAlive: boolean[];
  /** By service: it is to stop. */
  readonly #asked: boolean[];
  /** By service: dependents that are to stop and of which something runs. */
  readonly #before: number[];
  /** By phase: services of which something runs. */
  readonly #aliveInPhase: number[];
  #alive = 0;
  /** The phase that is stopping, when all are; those after it have stopped. */
  #phase: number | undefined;
  #queue: number[] = [];

  constructor(plan: Plan) {
    this.#plan = plan;
    this.#isAlive = plan.services.map(() => false);
    this.#asked = plan.services.map(() => false);
    this.#before = plan.services.map(() => 0);
    this.#aliveInPhase = plan.phases.map(() => 0);
  }

  /** Services of which something runs. */
  get alive(): number {
    return this.#alive;
  }

  /** It runs and is to stop. */
  isAsked(index: number): boolean {
    return this.#asked[index] === true;
  }

  /** These are to stop, those among them that need others before them. */
  ask(indexes: readonly number[]): void {
    for (const index of indexes) this.#ask(index);
    for (const index of indexes) this.#queueIfFree(index);
  }

  /** All are to stop, phase after phase. */
  askAll(): void {
    if (this.#phase !== undefined) return;
    this.#phase = this.#plan.phases.length;
    for (const index of this.#plan.services.keys()) this.#ask(index);
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
    this.#isAlive[index] = change > 0;
    this.#alive += change;
    const inPhase = (this.#aliveInPhase[planned.phase] ?? 0) + change;
    this.#aliveInPhase[planned.phase] = inPhase;
    if (!this.#asked[index]) return;
    for (const dependency of planned.needs) {
      this.#before[dependency] = (this.#before[dependency] ?? 0) + change;
      this.#queueIfFree(dependency);
    }
    if (this.#phase === undefined) this.#asked[index] = false;
    else if (inPhase === 0 && this.#phase === planned.phase) this.#goBack();
  }

  #ask(index: number): void {
    if (this.#asked[index] || !this.#isAlive[index]) return;
    this.#asked[index] = true;
    for (const dependency of this.#plan.services[index]?.needs ?? [])
      this.#before[dependency] = (this.#before[dependency] ?? 0) + 1;
  }

  /** Goes to the next phase, backwards, of which something runs. */
  #goBack(): void {
    let phase = this.#phase ?? 0;
    do phase--;
    while (phase >= 0 && this.#aliveInPhase[phase] === 0);
    this.#phase = phase;
    for (const index of this.#plan.phases[phase] ?? []) this.#queueIfFree(index);
  }

  #queueIfFree(index: number): void {
    const isItsTurn = this.#phase === undefined || this.#plan.services[index]?.phase === this.#phase;
    if (this.#asked[index] && this.#isAlive[index] && this.#before[index] === 0 && isItsTurn)
      this.#queue.push(index);
  }
}
