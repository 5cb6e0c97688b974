// The story of one simulation: hashed as it grows, so that two runs can be compared, and kept only when somebody wants to read it.
import type { VirtualClock } from "./clock.ts";
import { hashText } from "./random.ts";

export class Trace {
  readonly #clock: VirtualClock;
  readonly #lines: string[] | undefined;
  #hash = hashText("");
  #count = 0;

  constructor(clock: VirtualClock, { keep }: { keep: boolean }) {
    this.#clock = clock;
    this.#lines = keep ? [] : undefined;
  }

  add(text: string): void {
    const line = `${String(this.#clock.now()).padStart(8)}  ${text}`;
    this.#hash = hashText(line, this.#hash);
    this.#count++;
    this.#lines?.push(line);
  }

  get hash(): string {
    return this.#hash.toString(16).padStart(8, "0");
  }

  get count(): number {
    return this.#count;
  }

  get lines(): readonly string[] {
    return this.#lines ?? [];
  }
}
