// What is on its way out: bytes wait here, in memory that is used again, until whatever writes them has taken those before. What
// comes in one turn of the loop leaves in one call. It is bounded by asking the sources to wait, or by dropping lines and
// counting them.

/** Above this many waiting bytes it is full. */
const WAITING_BYTES_MAX = 1024 * 1024;
/** Above this many, what cannot wait is lost, and counted: records, and lines of modules. */
const HELD_BYTES_MAX = 16 * 1024 * 1024;
/** What the memory begins with, and what it goes back to. */
const IDLE_BYTES = 16 * 1024;

export interface WriteQueueOptions {
  /** Resolves when all of the bytes are written, or given up for good. Never rejects. */
  write: (bytes: Buffer) => Promise<void>;
  /** When it is full: `pause` makes the sources wait, `drop` lets lines go. */
  overflow: "pause" | "drop";
  /** Told, once there is room again, what was lost to a reader that did not read. */
  onLost: (lost: Lost) => void;
}

export interface Lost {
  lines: number;
  records: number;
}

export class WriteQueue {
  readonly #options: WriteQueueOptions;
  /** What comes goes here, while the writer has the other. */
  #memory: Buffer = Buffer.allocUnsafeSlow(IDLE_BYTES);
  #spare: Buffer | undefined;
  #filled = 0;
  #leaving = 0;
  #lost: Lost = { lines: 0, records: 0 };
  #pumping: Promise<void> | undefined;
  readonly #sources: (() => void)[] = [];

  constructor(options: WriteQueueOptions) {
    this.#options = options;
  }

  /** Takes a copy of the bytes. */
  write(bytes: Uint8Array, { kind, count }: { kind: keyof Lost; count: number }): void {
    if (this.#hasRoomFor(kind)) {
      this.#makeRoom(bytes.length);
      this.#memory.set(bytes, this.#filled);
      this.#filled += bytes.length;
    } else this.#lost[kind] += count;
    this.#pumping ??= this.#pump();
  }

  isFull(): boolean {
    return this.#options.overflow === "pause" && this.#isFull();
  }

  /** Resolves when there is room; those who wait are let in one after the other. */
  drained(): Promise<void> {
    return this.#isFull() ? new Promise((resolve) => this.#sources.push(resolve)) : Promise.resolve();
  }

  /** Bytes that have not been written. */
  get waiting(): number {
    return this.#filled + this.#leaving;
  }

  /** What has not begun to be written, and will not be: the process ends now, and somebody else writes it. */
  takeRest(): Buffer {
    const rest = this.#memory.subarray(0, this.#filled);
    this.#filled = 0;
    return rest;
  }

  /** Whether some bytes are being written. */
  get writing(): boolean {
    return this.#leaving > 0;
  }

  /** Resolves when there are none. */
  flush(): Promise<void> {
    return this.#pumping ?? Promise.resolve();
  }

  #isFull(): boolean {
    return this.#filled > WAITING_BYTES_MAX;
  }

  /** Who can wait was asked to: what comes all the same was let in when there was room, and is not much, or cannot wait. */
  #hasRoomFor(kind: keyof Lost): boolean {
    const canBeDropped = kind === "lines" && this.#options.overflow === "drop";
    return canBeDropped ? !this.#isFull() : this.#filled <= HELD_BYTES_MAX;
  }

  #makeRoom(bytes: number): void {
    const size = this.#filled + bytes;
    if (size <= this.#memory.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(size, this.#memory.length * 2));
    this.#memory.copy(larger, 0, 0, this.#filled);
    this.#memory = larger;
  }

  async #pump(): Promise<void> {
    // What else comes in this turn goes along.
    await new Promise((next) => setImmediate(next));
    while (this.#filled > 0) {
      const batch = this.#memory;
      this.#memory = this.#spare ?? Buffer.allocUnsafeSlow(IDLE_BYTES);
      this.#leaving = this.#filled;
      this.#filled = 0;
      this.#tellLost();
      void this.#letIn();
      await this.#options.write(batch.subarray(0, this.#leaving));
      this.#leaving = 0;
      this.#spare = batch;
    }
    this.#spare = undefined;
    if (this.#memory.length > IDLE_BYTES) this.#memory = Buffer.allocUnsafeSlow(IDLE_BYTES);
    this.#pumping = undefined;
  }

  /** The next in line puts in what it has before the one after it is asked. */
  async #letIn(): Promise<void> {
    while (!this.#isFull() && this.#sources.length > 0) {
      this.#sources.shift()?.();
      await Promise.resolve();
    }
  }

  #tellLost(): void {
    const lost = this.#lost;
    if (lost.lines + lost.records === 0) return;
    this.#lost = { lines: 0, records: 0 };
    this.#options.onLost(lost);
  }
}
