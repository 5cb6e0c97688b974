// Tells when scheduled tasks are due. It keeps one timer for each and decides nothing: what to do with a task that is due while
// it still runs is the fleet's business.
import type { Clock } from "../ports/clock.ts";

/** When something is due. */
export interface Schedule {
  /** The first time after `afterMs`, both in milliseconds since the Unix epoch; absent: never again. */
  next(afterMs: number): number | undefined;
}

export interface SchedulerOptions {
  clock: Clock;
  onDue: (service: string) => void;
}

/** The machine's clock may be set while we wait, so it is looked at again at least this often. */
const LOOK_MS = 60_000;

export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #entries = new Map<string, { nextMs: number; cancel: () => void }>();

  constructor(options: SchedulerOptions) {
    this.#options = options;
  }

  /** From now on these, and no others, are waited for. What of them is due at this moment is so still. */
  use(schedules: ReadonlyMap<string, Schedule>): void {
    const { clock, onDue } = this.#options;
    const nowMs = clock.wallTime();
    const due = [...schedules.keys()].filter((service) => (this.nextRunMs(service) ?? Infinity) <= nowMs);
    this.stop();
    for (const [service, schedule] of schedules) this.#plan(service, schedule);
    for (const service of due) onDue(service);
  }

  stop(): void {
    for (const { cancel } of this.#entries.values()) cancel();
    this.#entries.clear();
  }

  /** When a service is due next, in milliseconds since the Unix epoch. */
  nextRunMs(service: string): number | undefined {
    return this.#entries.get(service)?.nextMs;
  }

  #plan(service: string, schedule: Schedule): void {
    const nextMs = schedule.next(this.#options.clock.wallTime());
    if (nextMs === undefined) this.#entries.delete(service);
    else this.#wait(service, { schedule, nextMs });
  }

  #wait(service: string, { schedule, nextMs }: { schedule: Schedule; nextMs: number }): void {
    const { clock, onDue } = this.#options;
    const look = () => {
      if (clock.wallTime() < nextMs) return this.#wait(service, { schedule, nextMs });
      this.#plan(service, schedule);
      onDue(service);
    };
    const delayMs = Math.max(0, Math.min(nextMs - clock.wallTime(), LOOK_MS));
    this.#entries.set(service, { nextMs, cancel: clock.after(delayMs, look) });
  }
}
