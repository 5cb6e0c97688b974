// Records and the output of services as text, pretty for a terminal or as one JSON object a line (CONTRACT section 2). It
// formats and filters; where the text goes is passed in, and it keeps none of it.
import type { Log, LogFields, LogLevel, Output, OutputLine } from "../ports/log.ts";

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
  /** Takes a text that ends in a newline; false when the sink is full. */
  write: (text: string) => boolean;
  /** Resolves when the sink has room again. */
  drained: () => Promise<void>;
}

interface Format {
  record(level: LogLevel, message: string, fields: LogFields): string;
  line(line: OutputLine): string;
}

const LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

export function recordLog(options: RecordLogOptions): Log & Output {
  const format = options.format === "json" ? jsonFormat(options) : prettyFormat(options);
  const at =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}): void => {
      if (LEVELS.indexOf(level) >= LEVELS.indexOf(options.level))
        options.write(format.record(level, message, fields));
    };
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    line: (line) => options.write(format.line(line)),
    drained: options.drained,
  };
}

function jsonFormat({ name, wallTime }: RecordLogOptions): Format {
  // A busy service writes many lines in one millisecond; the date is made once for all of them.
  let stampedMs = -1;
  let stamp = "";
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
      const members = present(record).map(([key, value]) => `${JSON.stringify(key)}:${stringify(value)}`);
      return `{${members.join(",")}}\n`;
    },
    line({ service, stream, text, part }) {
      const message = part === undefined && isJsonObject(text) ? text : JSON.stringify(text);
      const head = `{"time":"${time()}","level":"info","service":${JSON.stringify(service)},"stream":"${stream}"`;
      return `${head},"message":${message}${part === undefined ? "" : `,"part":${part}`}}\n`;
    },
  };
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

function prettyFormat({ name, services, colour }: RecordLogOptions): Format {
  const paint = (code: number, text: string): string => (colour ? `\x1b[${code}m${text}\x1b[0m` : text);
  const width = Math.max(name.length, ...services.map((service) => service.length));
  const prefixOf = (code: number, who: string): string => paint(code, `${who.padEnd(width)} | `);
  const prefixes = new Map(
    services.map((service, index) => [service, prefixOf(COLOURS[index % COLOURS.length] ?? 0, service)]),
  );
  const own = prefixOf(1, name);
  return {
    record(level, message, fields) {
      const said = level === "info" ? message : paint(LEVEL_COLOURS[level], `${level}: ${message}`);
      const rest = present(fields).map(
        ([key, value]) => ` ${key}=${typeof value === "string" ? value : stringify(value)}`,
      );
      const text = `${said}${paint(2, rest.join(""))}`;
      return `${own}${text.replaceAll("\n", `\n${own}`)}\n`;
    },
    line: ({ service, text }) => `${prefixes.get(service) ?? prefixOf(0, service)}${text}\n`,
  };
}

const present = (fields: LogFields): [string, unknown][] =>
  Object.entries(fields).filter(([, value]) => value !== undefined);

/** JSON of anything a module may put into a record; an error becomes its stack, and what JSON cannot hold becomes text. */
function stringify(value: unknown): string {
  try {
    return JSON.stringify(value, plain) ?? JSON.stringify(String(value));
  } catch {
    return JSON.stringify(String(value));
  }
}

function plain(_key: string, value: unknown): unknown {
  if (value instanceof Error) return value.stack ?? value.message;
  return typeof value === "bigint" ? String(value) : value;
}
