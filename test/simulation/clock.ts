// Time for simulations: stands still until it is turned, one timer at a time. The timers of the runtime and those of the world
// around it share one line and are counted apart. Between two timers everything that waits for no time has happened.
import type { Clock } from "../../src/ports/clock.ts";

interface Timer {
  atMs: number;
  /** Of timers that fall due together, the one that was set first runs first. */
  order: number;
  run: () => void;
  open: boolean;
}

const EPOCH_MS = Date.UTC(2026, 0, 1);

export class VirtualClock implements Clock {
  #nowMs = 0;
  #order = 0;
  #armed = 0;
  readonly #heap: Timer[] = [];

  /** Timers of the runtime that are still to come. */
  get armed(): number {
    return this.#armed;
  }

  now(): number {
    return this.#nowMs;
  }

  wallTime(): number {
    return EPOCH_MS + this.#nowMs;
  }

  after(delayMs: number, run: () => void): () => void {
    this.#armed++;
    const timer = this.#add(delayMs, () => {
      this.#armed--;
      run();
    });
    return () => {
      if (timer.open) this.#armed--;
      timer.open = false;
    };
  }

  /** As `after`, for the world. */
  later(delayMs: number, run: () => void): () => void {
    const timer = this.#add(delayMs, run);
    return () => void (timer.open = false);
  }

  /** Moves on to the next timer and runs it; false when there is none. */
  async turn(): Promise<boolean> {
    const timer = this.#next();
    if (!timer) return false;
    this.#nowMs = timer.atMs;
    timer.open = false;
    timer.run();
    await settle();
    return true;
  }

  #add(delayMs: number, run: () => void): Timer {
    const timer = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, run, open: true };
    this.#heap.push(timer);
    this.#rise(this.#heap.length - 1);
    return timer;
  }

  #next(): Timer | undefined {
    for (;;) {
      const first = this.#heap[0];
      const last = this.#heap.pop();
      if (!first || !last) return undefined;
      if (this.#heap.length > 0) {
        this.#heap[0] = last;
        this.#sink(0);
      }
      if (first.open) return first;
    }
  }

  #rise(at: number): void {
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#isBefore(at, parent)) return;
      this.#swap(at, parent);
      at = parent;
    }
  }

  #sink(at: number): void {
    for (;;) {
      const left = 2 * at + 1;
      let least = at;
      if (this.#isBefore(left, least)) least = left;
      if (this.#isBefore(left + 1, least)) least = left + 1;
      if (least === at) return;
      this.#swap(at, least);
      at = least;
    }
  }

  #isBefore(left: number, right: number): boolean {
    const [a, b] = [this.#heap[left], this.#heap[right]];
    return a !== undefined && b !== undefined && (a.atMs - b.atMs || a.order - b.order) < 0;
  }

  #swap(left: number, right: number): void {
    const held = this.#heap[left] as Timer;
    this.#heap[left] = this.#heap[right] as Timer;
    this.#heap[right] = held;
  }
}

/** Lets every promise that can settle do so: an immediate comes after all microtasks, and takes two microseconds. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
