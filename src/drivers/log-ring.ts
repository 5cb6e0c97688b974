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

/** What a line costs beyond its letters. */
const LINE_BYTES = 128;
const BYTES_PER_LETTER = 2;
/** Emptied places at the front before they are given back: moving the rest costs as much as they are. */
const EMPTY_MIN = 1024;

interface Ring {
  lines: LogLine[];
  /** Index of the oldest that is still kept. */
  first: number;
  bytes: number;
  seq: number;
  followers: Set<(line: LogLine) => void>;
}

export function logRing({ bytesMax, wallTime }: LogRingOptions): LogRing {
  const rings = new Map<string, Ring>();

  function ringOf(service: string): Ring {
    const ring = rings.get(service) ?? { lines: [], first: 0, bytes: 0, seq: 0, followers: new Set() };
    rings.set(service, ring);
    return ring;
  }

  function keep(service: string, line: Pick<LogLine, "stream" | "text" | "part">): void {
    const ring = ringOf(service);
    const kept: LogLine = { seq: (ring.seq += 1), atMs: wallTime(), service, ...line };
    ring.lines.push(kept);
    ring.bytes += sizeOf(kept);
    while (ring.bytes > bytesMax && ring.first < ring.lines.length - 1) {
      const oldest = ring.lines[ring.first];
      if (oldest) ring.bytes -= sizeOf(oldest);
      ring.first += 1;
    }
    if (ring.first >= EMPTY_MIN && ring.first * 2 >= ring.lines.length) {
      ring.lines = ring.lines.slice(ring.first);
      ring.first = 0;
    }
    for (const follower of ring.followers) follower(kept);
  }

  const record = (log: Log, level: LogLevel) => (message: string, fields?: LogFields) => {
    if (level !== "debug" && typeof fields?.["service"] === "string")
      keep(fields["service"], { stream: "runtime", text: message });
    log[level](message, fields);
  };

  return {
    read(service, { tail } = {}) {
      const ring = rings.get(service);
      if (!ring) return [];
      const count = ring.lines.length - ring.first;
      return ring.lines.slice(ring.lines.length - Math.min(tail ?? count, count));
    },
    follow(services, listener) {
      for (const service of services) ringOf(service).followers.add(listener);
      return () => {
        for (const service of services) rings.get(service)?.followers.delete(listener);
      };
    },
    keeping: (log) => ({
      debug: record(log, "debug"),
      info: record(log, "info"),
      warn: record(log, "warn"),
      error: record(log, "error"),
      line(line) {
        const { service, stream, text, part } = line;
        keep(service, part === undefined ? { stream, text } : { stream, text, part });
        return log.line(line);
      },
      drained: () => log.drained(),
    }),
  };
}

const sizeOf = ({ text }: LogLine): number => text.length * BYTES_PER_LETTER + LINE_BYTES;
