// Many deadlines on few timers: those of one length expire in the order in which they were armed, so one timer for the first of
// them is enough. A thousand services that start at once would otherwise set and clear a thousand timers.
import type { Clock } from "../ports/clock.ts";

interface Entry {
  atMs: number;
  /** Absent once it was disarmed. */
  expire?: () => void;
}

/** The deadlines of one length, the earliest first. */
interface Line {
  entries: Entry[];
  /** Entries before this one are over. */
  first: number;
  armed: number;
  cancel: () => void;
}

export class Deadlines {
  readonly #clock: Clock;
  readonly #lines = new Map<number, Line>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls `expire` once after `delayMs`; returns a function that disarms it. */
  arm(delayMs: number, expire: () => void): () => void {
    const entry: Entry = { atMs: this.#clock.now() + delayMs, expire };
    const line = this.#lineOf(delayMs);
    line.entries.push(entry);
    line.armed++;
    return () => {
      if (entry.expire === undefined) return;
      delete entry.expire;
      if (--line.armed === 0) this.#drop(delayMs, line);
    };
  }

  #lineOf(delayMs: number): Line {
    const present = this.#lines.get(delayMs);
    if (present) return present;
    const line: Line = { entries: [], first: 0, armed: 0, cancel: () => {} };
    line.cancel = this.#clock.after(delayMs, () => this.#expire(delayMs, line));
    this.#lines.set(delayMs, line);
    return line;
  }

  #drop(delayMs: number, line: Line): void {
    line.cancel();
    if (this.#lines.get(delayMs) === line) this.#lines.delete(delayMs);
  }

  #expire(delayMs: number, line: Line): void {
    const nowMs = this.#clock.now();
    for (let entry = line.entries[line.first]; entry; entry = line.entries[line.first]) {
      const { atMs, expire } = entry;
      if (expire && atMs > nowMs) {
        line.entries = line.entries.slice(line.first);
        line.first = 0;
        line.cancel = this.#clock.after(atMs - nowMs, () => this.#expire(delayMs, line));
        return;
      }
      line.first++;
      if (!expire) continue;
      delete entry.expire;
      if (--line.armed === 0) this.#drop(delayMs, line);
      expire();
    }
  }
}
