// The runtime's own records on the console, one JSON object each: for the edge, where there is no stdout, and for a program
// that uses the library and brings no log of its own.
import { recordText } from "../core/record-text.ts";
import type { Log, LogFields, LogLevel } from "../ports/log.ts";

const LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/** Leaves out what is below `level`; `name` is who the records are from. */
export function consoleLog({ level: lowest, name }: { level: LogLevel; name: string }): Log {
  const at =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}): void => {
      if (LEVELS.indexOf(level) < LEVELS.indexOf(lowest)) return;
      const time = new Date().toISOString();
      console[level](recordText({ time, level, service: name, stream: "runtime", message, ...fields }));
    };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}
