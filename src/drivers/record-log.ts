// Records and the output of services as they are printed, pretty for a terminal or as one JSON object a line (CONTRACT section
// 2). It formats and filters; where the bytes go is passed in, and it keeps none of them.
import { fieldText, presentOf, recordText } from "../core/record-text.ts";
import type { LineSink, Lines, LogFields, LogLevel, Outlet, Output, OutputStream } from "../ports/log.ts";

export interface RecordLogOptions {
  format: "pretty" | "json";
  /** Own records below this level are left out; the output of services never is. */
  level: LogLevel;
  /** The runtime's name: who its own records are from. */
  name: string;
  /** The services' names, in the order colours are given out. They set the width of the prefix. */
  services: readonly string[];
  /** Whether `pretty` uses colour. */
  colour: boolean;
  /** Milliseconds since the epoch. */
  wallTime: () => number;
  sink: RecordSink;
}

/** Where what is printed goes. */
export interface RecordSink extends Pick<Output, "isFull" | "drained"> {
  /** Takes bytes that end in a newline, or nothing of them; the memory is used again once it returns. */
  write(bytes: Uint8Array, what: Written): void;
}

export interface Written {
  /** Lines of services, or records of the runtime's own. */
  kind: "lines" | "records";
  count: number;
}

/** Puts the lines of one stream into a page. */
type LineFormat = (lines: Lines, page: Page) => void;

interface Format {
  record(level: LogLevel, message: string, fields: LogFields): string;
  lines(service: string, stream: OutputStream, level: LogLevel): LineFormat;
}

const LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

export function recordLog(options: RecordLogOptions): Outlet {
  const { sink } = options;
  const format = options.format === "json" ? jsonFormat(options) : prettyFormat(options);
  const page = new Page((bytes, count) => sink.write(bytes, { kind: "lines", count }));
  const at =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}): void => {
      if (LEVELS.indexOf(level) >= LEVELS.indexOf(options.level))
        sink.write(Buffer.from(format.record(level, message, fields)), { kind: "records", count: 1 });
    };
  return {
    log: { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") },
    output: {
      open(service, stream, { level = "info" } = {}): LineSink {
        const put = format.lines(service, stream, level);
        return {
          write(lines) {
            put(lines, page);
            page.turn();
          },
          end() {},
        };
      },
      isFull: () => sink.isFull(),
      drained: () => sink.drained(),
    },
  };
}

/** A page is turned when it has this much on it. */
const PAGE_BYTES = 256 * 1024;
/** What one entry takes at most: a byte of a piece can become six in JSON, and there is a prefix. */
const ENTRY_BYTES_MAX = 7 * 64 * 1024;

/** Memory that lines are put together in, the same all the time. */
class Page {
  #bytes: Buffer | undefined;
  #at = 0;
  #count = 0;
  readonly #onTurned: (bytes: Uint8Array, count: number) => void;

  constructor(onTurned: (bytes: Uint8Array, count: number) => void) {
    this.#onTurned = onTurned;
  }

  /** Begins an entry; what is put then stands in it. */
  begin(): void {
    if (this.#at >= PAGE_BYTES) this.turn();
    this.#count++;
  }

  put(bytes: Uint8Array): void {
    this.#memory().set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** One of the lines as it came. */
  putLine({ bytes, starts, ends }: Lines, index: number): void {
    const from = starts[index] ?? 0;
    const to = ends[index] ?? 0;
    (bytes as Buffer).copy(this.#memory(), this.#at, from, to);
    this.#at += to - from;
  }

  putText(text: string): void {
    this.#at += this.#memory().write(text, this.#at);
  }

  /** Hands over what is on it. */
  turn(): void {
    if (this.#count === 0) return;
    this.#onTurned(this.#memory().subarray(0, this.#at), this.#count);
    this.#at = 0;
    this.#count = 0;
  }

  #memory(): Buffer {
    return (this.#bytes ??= Buffer.allocUnsafeSlow(PAGE_BYTES + ENTRY_BYTES_MAX));
  }
}

/** As `toISOString` has it. */
const NO_TIME = "0000-00-00T00:00:00.000Z";
const TIME_AT = '{"time":"'.length;

function jsonFormat({ name, wallTime }: RecordLogOptions): Format {
  // A busy service writes many lines in one millisecond; the date is made once for all of them.
  let stampedMs = -1;
  let stamp = NO_TIME;
  const time = (): string => {
    const nowMs = wallTime();
    if (nowMs !== stampedMs) {
      stampedMs = nowMs;
      stamp = new Date(nowMs).toISOString();
    }
    return stamp;
  };
  return {
    record(level, message, fields) {
      const record = { time: time(), level, service: name, stream: "runtime", message, ...fields };
      return `${recordText(record)}\n`;
    },
    lines(service, stream, level) {
      const who = `"level":"${level}","service":${JSON.stringify(service)},"stream":"${stream}"`;
      const head = Buffer.from(`{"time":"${NO_TIME}",${who},"message":`);
      return (lines, page) => {
        head.write(time(), TIME_AT, "latin1");
        putJson(lines, { head, page });
      };
    },
  };
}

const BRACE = 0x7b;
const QUOTE = Buffer.from('"');
const END = Buffer.from("}\n");
const QUOTE_END = Buffer.from('"}\n');

function putJson(lines: Lines, { head, page }: { head: Buffer; page: Page }): void {
  const partEnd = lines.part === 0 ? END : Buffer.from(`,"part":${lines.part}}\n`);
  for (let index = 0; index < lines.count; index++) {
    page.begin();
    page.put(head);
    // Of plain lines only `{}` may be JSON.
    if (lines.plain[index] === 1 && lines.part === 0 && lines.bytes[lines.starts[index] ?? 0] !== BRACE) {
      page.put(QUOTE);
      page.putLine(lines, index);
      page.put(QUOTE_END);
      continue;
    }
    const text = lines.text(index);
    page.putText(lines.part === 0 && isJsonObject(text) ? text : JSON.stringify(text));
    page.put(partEnd);
  }
}

function isJsonObject(text: string): boolean {
  if (!text.startsWith("{") || !text.endsWith("}")) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

const COLOURS = [36, 33, 32, 35, 34, 96, 93, 92, 95, 94];
const LEVEL_COLOURS: Record<LogLevel, number> = { debug: 2, info: 0, warn: 33, error: 31 };
const NEWLINE = Buffer.from("\n");

function prettyFormat({ name, services, colour }: RecordLogOptions): Format {
  const paint = (code: number, text: string): string =>
    colour && text !== "" ? `\x1b[${code}m${text}\x1b[0m` : text;
  const width = Math.max(name.length, ...services.map((service) => service.length));
  const prefixOf = (code: number, who: string): string => paint(code, `${who.padEnd(width)} | `);
  const prefixes = new Map(
    services.map((service, index) => [service, prefixOf(COLOURS[index % COLOURS.length] ?? 0, service)]),
  );
  const own = prefixOf(1, name);
  return {
    record(level, message, fields) {
      const said = level === "info" ? message : paint(LEVEL_COLOURS[level], `${level}: ${message}`);
      const rest = presentOf(fields).map(
        ([key, value]) => ` ${key}=${typeof value === "string" ? value : fieldText(value)}`,
      );
      const text = `${said}${paint(2, rest.join(""))}`;
      return `${own}${text.replaceAll("\n", `\n${own}`)}\n`;
    },
    lines(service) {
      const prefix = prefixes.get(service) ?? prefixOf(0, service);
      const whole = Buffer.from(prefix);
      return (lines, page) => {
        const { part } = lines;
        // Else the pieces of a line would look like lines.
        const head = part === 0 ? whole : Buffer.from(`${prefix}${paint(2, `[part ${part}]`)} `);
        for (let index = 0; index < lines.count; index++) {
          page.begin();
          page.put(head);
          if (lines.plain[index] === 1) page.putLine(lines, index);
          else page.putText(lines.text(index));
          page.put(NEWLINE);
        }
      };
    },
  };
}
