// The time of day, as something that passes: never behind itself, and going on while the clock on the wall was set back, so that what is
// to expire in a minute does so in a minute. It reads no clock; whoever has one tells what that says.

export interface Reading {
  /** The time of day. */
  wallMs: number;
  /** By a clock that nobody sets. */
  monotonicMs: number;
}

export class SteadyTime {
  #timeMs: number;
  #monotonicMs: number;

  /** Not before `timeMs`, which it was at `monotonicMs`. */
  constructor({ timeMs, monotonicMs }: { timeMs: number; monotonicMs: number }) {
    this.#timeMs = timeMs;
    this.#monotonicMs = monotonicMs;
  }

  /** In whole milliseconds. */
  at({ wallMs, monotonicMs }: Reading): number {
    const passedMs = this.#timeMs + (monotonicMs - this.#monotonicMs);
    this.#monotonicMs = monotonicMs;
    this.#timeMs = Math.max(wallMs, passedMs);
    return Math.floor(this.#timeMs);
  }

  /** It is that late for somebody else. */
  heard(timeMs: number): void {
    this.#timeMs = Math.max(this.#timeMs, timeMs);
  }
}
