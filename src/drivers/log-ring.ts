// What each service has written lately, in memory: a ring of bytes for each, and whoever follows. Lines are made of the bytes
// when somebody asks, for most are never asked for. It writes nowhere, and what is pushed out is gone.
import type { LineSink, Lines, Log, LogFields, LogLevel, Outlet } from "../ports/log.ts";
import type { LogLine, LogSource } from "../ports/control.ts";

export interface LogRingOptions {
  /** What is kept of each service, its bookkeeping included. */
  bytesMax: number;
  /** Milliseconds since the epoch. */
  wallTime: () => number;
}

export interface LogRing extends LogSource {
  /** The same outlet, with everything about a service kept on its way. */
  keeping(outlet: Outlet): Outlet;
}

export function logRing({ bytesMax, wallTime }: LogRingOptions): LogRing {
  const rings = new Map<string, Ring>();

  function ringOf(service: string): Ring {
    const ring = rings.get(service) ?? new Ring(service, bytesMax);
    rings.set(service, ring);
    return ring;
  }

  const record = (log: Log, level: LogLevel) => (message: string, fields?: LogFields) => {
    if (level !== "debug" && typeof fields?.["service"] === "string") {
      ringOf(fields["service"]).keepRecord(message, { stream: "runtime", atMs: wallTime() });
    }
    log[level](message, fields);
  };

  return {
    read: (service, { tail } = {}) => rings.get(service)?.read(tail) ?? [],
    follow(services, listener) {
      for (const service of services) ringOf(service).followers.add(listener);
      return () => {
        for (const service of services) rings.get(service)?.followers.delete(listener);
      };
    },
    keeping: ({ log, output }) => ({
      log: {
        debug: record(log, "debug"),
        info: record(log, "info"),
        warn: record(log, "warn"),
        error: record(log, "error"),
      },
      output: {
        ...output,
        open(service, stream, options): LineSink {
          const ring = ringOf(service);
          const next = output.open(service, stream, options);
          return {
            write(lines) {
              ring.keepLines(lines, { stream, atMs: wallTime() });
              next.write(lines);
            },
            end: () => next.end(),
          };
        },
      },
    }),
  };
}

/** Lines of one stream that came together. */
interface Run {
  stream: LogLine["stream"];
  atMs: number;
  part: number;
  /** How many lines it has. The bytes of a single one are not searched for the ends of others. */
  count: number;
}

/** A run as it lies in the ring. */
interface KeptRun extends Run {
  /** The number of its first line. */
  seq: number;
  from: number;
  length: number;
}

/** What a run costs beyond its bytes. */
const RUN_BYTES = 128;
/** What the memory of a ring begins with. */
const FIRST_BYTES = 2048;
/** A run is at most this part of the ring: the oldest makes room as a whole. */
const RUNS_MIN = 8;
/** Emptied places at the front of the list before they are given back: moving the rest costs as much as they are. */
const EMPTY_MIN = 1024;

class Ring {
  readonly followers = new Set<(line: LogLine) => void>();
  readonly #service: string;
  readonly #bytesMax: number;
  /** Runs lie in it one behind the other, around its end; it grows with what is kept. */
  #memory = Buffer.alloc(0);
  /** Where the next run begins. */
  #to = 0;
  #used = 0;
  #runs: KeptRun[] = [];
  /** Index of the oldest that is still kept. */
  #first = 0;
  #seq = 0;

  constructor(service: string, bytesMax: number) {
    this.#service = service;
    this.#bytesMax = bytesMax;
  }

  keepLines(lines: Lines, { stream, atMs }: Pick<Run, "stream" | "atMs">): void {
    const { bytes, starts, ends, count, part } = lines;
    const lengthMax = this.#bytesMax / RUNS_MIN;
    const seq = this.#seq + 1;
    for (let index = 0; index < count;) {
      const from = starts[index] ?? 0;
      let next = (ends[count - 1] ?? 0) - from <= lengthMax ? count : index + 1;
      while (next < count && (ends[next] ?? 0) - from <= lengthMax) next++;
      this.#put(bytes.subarray(from, ends[next - 1]), { stream, atMs, part, count: next - index });
      index = next;
    }
    if (this.followers.size === 0) return;
    for (let index = 0; index < count; index++)
      this.#tell(this.#line({ stream, atMs, part }, seq + index, lines.text(index)));
  }

  keepRecord(text: string, run: Pick<Run, "stream" | "atMs">): void {
    this.#put(Buffer.from(text), { ...run, part: 0, count: 1 });
    if (this.followers.size > 0) this.#tell(this.#line({ ...run, part: 0 }, this.#seq, text));
  }

  read(tail = Infinity): LogLine[] {
    let first = this.#runs.length;
    for (let count = 0; first > this.#first && count < tail; first--)
      count += this.#runs[first - 1]?.count ?? 0;
    const lines = this.#runs.slice(first).flatMap((run) => this.#linesOf(run));
    return tail < lines.length ? lines.slice(lines.length - tail) : lines;
  }

  #put(bytes: Uint8Array, run: Run): void {
    const seq = this.#seq + 1;
    this.#seq += run.count;
    const { length } = bytes;
    // A single line that has no room beside nothing.
    if (length + RUN_BYTES > this.#bytesMax) return;
    while (this.#used + length + RUN_BYTES * (this.#runs.length - this.#first + 1) > this.#bytesMax)
      this.#dropOldest();
    this.#grow(this.#used + length);
    const beforeEnd = Math.min(length, this.#memory.length - this.#to);
    this.#memory.set(bytes.subarray(0, beforeEnd), this.#to);
    this.#memory.set(bytes.subarray(beforeEnd), 0);
    this.#runs.push({ ...run, seq, from: this.#to, length });
    this.#to = (this.#to + length) % this.#memory.length;
    this.#used += length;
  }

  #dropOldest(): void {
    this.#used -= this.#runs[this.#first]?.length ?? 0;
    this.#first += 1;
    if (this.#first < EMPTY_MIN || this.#first * 2 < this.#runs.length) return;
    this.#runs = this.#runs.slice(this.#first);
    this.#first = 0;
  }

  #grow(bytes: number): void {
    if (bytes <= this.#memory.length && this.#memory.length > 0) return;
    const larger = Buffer.allocUnsafeSlow(
      Math.min(this.#bytesMax, Math.max(bytes, this.#memory.length * 2, FIRST_BYTES)),
    );
    let to = 0;
    for (const run of this.#runs.slice(this.#first)) {
      larger.set(this.#bytesOf(run), to);
      run.from = to;
      to += run.length;
    }
    this.#memory = larger;
    this.#to = to;
  }

  #bytesOf({ from, length }: KeptRun): Buffer {
    const end = from + length;
    const beyond = end - this.#memory.length;
    if (beyond <= 0) return this.#memory.subarray(from, end);
    return Buffer.concat([this.#memory.subarray(from), this.#memory.subarray(0, beyond)]);
  }

  #linesOf(run: KeptRun): LogLine[] {
    const text = this.#bytesOf(run).toString("utf8");
    if (run.count === 1) return [this.#line(run, run.seq, text)];
    // The CR of the last is left out as it was kept.
    const texts = text.replaceAll("\r\n", "\n").split("\n");
    return texts.map((each, index) => this.#line(run, run.seq + index, each));
  }

  #line({ stream, atMs, part }: Omit<Run, "count">, seq: number, text: string): LogLine {
    return { seq, atMs, service: this.#service, stream, text, ...(part !== 0 && { part }) };
  }

  #tell(line: LogLine): void {
    for (const follower of this.followers) follower(line);
  }
}
