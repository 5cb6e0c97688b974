// The runtime's own records on the console, one JSON object each: for the edge, where there is no stdout, and for a program
// that uses the library and brings no log of its own.
import type { Log, LogFields, LogLevel } from "../ports/log.ts";

const LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/** Leaves out what is below `level`; `name` is who the records are from. */
export function consoleLog({ level: lowest, name }: { level: LogLevel; name: string }): Log {
  const at =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}): void => {
      if (LEVELS.indexOf(level) < LEVELS.indexOf(lowest)) return;
      const record = { time: new Date().toISOString(), level, service: name, stream: "runtime", message };
      console[level](stringify({ ...record, ...fields }) ?? stringify(record));
    };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/** Undefined when a field cannot be JSON, as one that contains itself. */
function stringify(record: LogFields): string | undefined {
  try {
    return JSON.stringify(record, (_key, value) =>
      value instanceof Error ? (value.stack ?? value.message) : value,
    );
  } catch {
    return undefined;
  }
}
