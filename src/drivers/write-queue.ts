// What is on its way out: bytes wait here, in memory that is used again, until whatever writes them has taken those before. What
// comes in one turn of the loop leaves in one call. It is bounded by asking the sources to wait, or by dropping lines and
// counting them.

/** Above this many waiting bytes it is full. */
const WAITING_BYTES_MAX = 1024 * 1024;
/** Above this many, records, which cannot wait, are lost, and counted. */
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

export interface WriteQueue {
  /** Takes a copy of the bytes. */
  write(bytes: Uint8Array, what: { kind: "lines" | "records"; count: number }): void;
  readonly full: boolean;
  /** Resolves when there is room; those who wait are let in one after the other. */
  drained(): Promise<void>;
  /** Bytes that have not been written. */
  readonly waiting: number;
  /** Resolves when there are none. */
  flush(): Promise<void>;
}

export function writeQueue({ write, overflow, onLost }: WriteQueueOptions): WriteQueue {
  let filling: Buffer = Buffer.allocUnsafeSlow(IDLE_BYTES);
  let spare: Buffer | undefined;
  let filled = 0;
  let leaving = 0;
  let lost: Lost = { lines: 0, records: 0 };
  let pumping: Promise<void> | undefined;
  const sources: (() => void)[] = [];

  const isFull = (): boolean => filled > WAITING_BYTES_MAX;

  /** The next in line puts in what it has before the one after it is asked. */
  const letIn = async (): Promise<void> => {
    while (!isFull() && sources.length > 0) {
      sources.shift()?.();
      await undefined;
    }
  };

  const pump = async (): Promise<void> => {
    // What else comes in this turn goes along.
    await new Promise((next) => setImmediate(next));
    while (filled > 0) {
      const batch = filling.subarray(0, filled);
      const memory = filling;
      filling = spare ?? Buffer.allocUnsafeSlow(IDLE_BYTES);
      leaving = filled;
      filled = 0;
      tellLost();
      void letIn();
      await write(batch);
      leaving = 0;
      spare = memory;
    }
    spare = undefined;
    if (filling.length > IDLE_BYTES) filling = Buffer.allocUnsafeSlow(IDLE_BYTES);
    pumping = undefined;
  };

  const tellLost = (): void => {
    if (lost.lines + lost.records === 0) return;
    const told = lost;
    lost = { lines: 0, records: 0 };
    onLost(told);
  };

  const makeRoom = (bytes: number): void => {
    if (filled + bytes <= filling.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(filled + bytes, filling.length * 2));
    filling.copy(larger, 0, 0, filled);
    filling = larger;
  };

  return {
    write(bytes, { kind, count }) {
      const isLost = kind === "lines" ? overflow === "drop" && isFull() : filled > HELD_BYTES_MAX;
      if (isLost) lost[kind] += count;
      else {
        makeRoom(bytes.length);
        filling.set(bytes, filled);
        filled += bytes.length;
      }
      pumping ??= pump();
    },
    get full() {
      return overflow === "pause" && isFull();
    },
    drained: () => (isFull() ? new Promise((resolve) => sources.push(resolve)) : Promise.resolve()),
    get waiting() {
      return filled + leaving;
    },
    flush: () => pumping ?? Promise.resolve(),
  };
}
