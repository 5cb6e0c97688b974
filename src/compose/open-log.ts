// This process's standard output as the log of the runtime: pretty on a terminal, JSON lines otherwise.
import process from "node:process";
import { recordLog } from "../drivers/record-log.ts";
import { openStdout } from "../drivers/stdout.ts";
import type { Log, LogLevel, Output } from "../ports/log.ts";

export interface LogOptions {
  /** The runtime's name. */
  name: string;
  /** Default `auto`: pretty on a terminal, `json` otherwise. */
  format?: "auto" | "pretty" | "json";
  /** Default `info`. */
  level?: LogLevel;
  /** Names of the services that will write. Default: none. */
  services?: readonly string[];
}

export interface OpenLog {
  log: Log & Output;
  /** Resolves when all that was written has left the process. */
  flush: () => Promise<void>;
  /** Somebody reads it on a terminal. */
  terminal: boolean;
}

export function openLog({ name, format = "auto", level = "info", services = [] }: LogOptions): OpenLog {
  const stdout = openStdout({
    onLost: (writes) => log.error(`${writes} writes were lost: nobody reads the output`),
  });
  const pretty = format === "auto" ? stdout.terminal : format === "pretty";
  const log = recordLog({
    format: pretty ? "pretty" : "json",
    level,
    name,
    services,
    colour: stdout.terminal && (process.env.NO_COLOR ?? "") === "",
    wallTime: Date.now,
    write: (text) => stdout.write(text),
    drained: () => stdout.drained(),
  });
  return { log, flush: () => stdout.flush(), terminal: stdout.terminal };
}
