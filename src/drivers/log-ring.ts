// What each service has written lately, in memory: a ring of lines for each, bounded by bytes, and whoever follows. It writes
// nowhere, and a line that nobody has asked for by the time it is pushed out is gone.
import type { Log, LogFields, LogLevel, Output } from "../ports/log.ts";
import type { LogLine, LogSource } from "../ports/control.ts";

export interface LogRingOptions {
  /** What is kept of each service, its bookkeeping included. */
  bytesMax: number;
  /** Milliseconds since the epoch. */
  wallTime: () => number;
}

export interface LogRing extends LogSource {
  /** The same log, with everything about a service kept on its way. */
  keeping(log: Log & Output): Log & Output;
}

/** What a line costs beyond its letters; also the smallest that a line counts as, which bounds how many there can be. */
const LINE_BYTES = 128;
const BYTES_PER_LETTER = 2;

const STREAMS = ["stdout", "stderr", "runtime"] as const;

/**
 * One service's lines, column by column: an object for each would halve what a service can write. Line `n`, counted from 0, lies
 * at `n % capacity`.
 */
class Ring {
  readonly #bytesMax: number;
  readonly #capacity: number;
  readonly #texts: string[] = [];
  readonly #times: Float64Array;
  readonly #streams: Uint8Array;
  /** 0: the line is whole. */
  readonly #parts: Int32Array;
  #first = 0;
  #end = 0;
  #bytes = 0;
  followers: readonly ((line: LogLine) => void)[] = [];

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
    this.#capacity = Math.max(1, Math.floor(bytesMax / LINE_BYTES));
    this.#times = new Float64Array(this.#capacity);
    this.#streams = new Uint8Array(this.#capacity);
    this.#parts = new Int32Array(this.#capacity);
  }

  push(text: string, stream: number, { part, atMs }: { part: number; atMs: number }): void {
    if (this.#end - this.#first === this.#capacity) this.#drop();
    const place = this.#end % this.#capacity;
    this.#texts[place] = text;
    this.#times[place] = atMs;
    this.#streams[place] = stream;
    this.#parts[place] = part;
    this.#bytes += LINE_BYTES + text.length * BYTES_PER_LETTER;
    this.#end += 1;
    while (this.#bytes > this.#bytesMax && this.#end - this.#first > 1) this.#drop();
  }

  #drop(): void {
    const place = this.#first % this.#capacity;
    this.#bytes -= LINE_BYTES + (this.#texts[place]?.length ?? 0) * BYTES_PER_LETTER;
    this.#texts[place] = "";
    this.#first += 1;
  }

  /** The last `count` of them, oldest first. */
  last(service: string, count: number): LogLine[] {
    const length = Math.min(count, this.#end - this.#first);
    return Array.from({ length }, (_, index): LogLine => {
      const place = (this.#end - length + index) % this.#capacity;
      const part = this.#parts[place] ?? 0;
      return {
        seq: this.#end - length + index + 1,
        atMs: this.#times[place] ?? 0,
        service,
        stream: STREAMS[this.#streams[place] ?? 0] ?? "stdout",
        text: this.#texts[place] ?? "",
        ...(part > 0 && { part }),
      };
    });
  }
}

export function logRing({ bytesMax, wallTime }: LogRingOptions): LogRing {
  const rings = new Map<string, Ring>();

  function ringOf(service: string): Ring {
    let ring = rings.get(service);
    if (!ring) rings.set(service, (ring = new Ring(bytesMax)));
    return ring;
  }

  function keep(service: string, text: string, { stream, part }: { stream: number; part: number }): void {
    const ring = ringOf(service);
    ring.push(text, stream, { part, atMs: wallTime() });
    if (ring.followers.length === 0) return;
    const [line] = ring.last(service, 1);
    for (const follower of ring.followers) if (line) follower(line);
  }

  const record = (log: Log, level: LogLevel) => (message: string, fields?: LogFields) => {
    const service = fields?.["service"];
    if (level !== "debug" && typeof service === "string")
      keep(service, message, { stream: STREAMS.indexOf("runtime"), part: 0 });
    log[level](message, fields);
  };

  return {
    read: (service, { tail = Infinity } = {}) => rings.get(service)?.last(service, tail) ?? [],
    follow(services, listener) {
      // Of its own, so that one who listens twice is two.
      const follower = (line: LogLine) => listener(line);
      for (const service of services) {
        const ring = ringOf(service);
        ring.followers = [...ring.followers, follower];
      }
      return () => {
        for (const service of services) {
          const ring = ringOf(service);
          ring.followers = ring.followers.filter((each) => each !== follower);
        }
      };
    },
    keeping: (log) => ({
      debug: record(log, "debug"),
      info: record(log, "info"),
      warn: record(log, "warn"),
      error: record(log, "error"),
      line(line) {
        keep(line.service, line.text, {
          stream: line.stream === "stdout" ? 0 : 1,
          part: line.part ?? 0,
        });
        return log.line(line);
      },
      drained: () => log.drained(),
    }),
  };
}
