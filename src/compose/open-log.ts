// This process's standard output as the log of the runtime, pretty on a terminal and JSON lines otherwise; and, where the config
// asks for one, a file beside it. It ends with a flush that never waits longer than it is told to.
import process from "node:process";
import type { LogConfig } from "../config/config.ts";
import { type LogFile, openLogFile } from "../drivers/log-file.ts";
import { recordLog, type RecordLogOptions, type RecordSink } from "../drivers/record-log.ts";
import { openStdout } from "../drivers/stdout.ts";
import { type Lost, WriteQueue, type WriteQueueOptions } from "../drivers/write-queue.ts";
import { messageOf, StartupError } from "../errors.ts";
import type { Log, Outlet } from "../ports/log.ts";
import { type FlushOptions, outgoing } from "./outgoing.ts";
import { tell } from "./stderr.ts";

export interface LogOptions extends Partial<Omit<LogConfig, "ringBytes">> {
  /** The runtime's name. */
  name: string;
  /** Names of the services that will write. Default: none. */
  services?: readonly string[];
}

export interface OpenLog extends Outlet {
  /**
   * Resolves with true when all that services and the runtime have written has left the process, and with false when time is
   * up; how much was left behind is then said on standard error.
   */
  flush: (options: FlushOptions) => Promise<boolean>;
  /** The process ends now, and nothing is awaited any more: writes what is left, as far as there is room for it. */
  lastWords: () => void;
  /** Somebody reads it on a terminal. */
  terminal: boolean;
  /** Somebody did, until that terminal was closed. */
  hasHungUp: () => boolean;
}

/** Defaults are those of the config. Throws `StartupError` when the file cannot be opened. */
export function openLog(options: LogOptions): OpenLog {
  const { name, format = "auto", level = "info", services = [], overflow = "pause", file } = options;
  const stdout = openStdout({
    onGone: (reason) => void complain(`nobody reads the output any more (${reason}): going on without it`),
  });
  /** A queue, and who says what it has lost. */
  const queueOf = (write: WriteQueueOptions["write"], why: string): WriteQueue => {
    const onLost = ({ lines, records }: Lost): void => {
      if (lines > 0) printing.log.warn(`${lines} lines were dropped: ${why}`);
      if (records > 0) printing.log.error(`${records} records were lost: ${why}`);
    };
    return new WriteQueue({ write, overflow, onLost });
  };
  const queue = queueOf((bytes) => stdout.write(bytes), "the output was not read fast enough");
  const pretty = format === "auto" ? stdout.terminal : format === "pretty";
  const common = { level, name, services, wallTime: Date.now };
  const printed: Omit<RecordLogOptions, "sink"> = {
    ...common,
    format: pretty ? "pretty" : "json",
    colour: stdout.terminal && (process.env.NO_COLOR ?? "") === "",
  };
  const opened = file && openFile(file, () => printing.log);
  const filed = opened && queueOf((bytes) => opened.write(bytes), "the log file was not written fast enough");
  const queues = filed ? [queue, filed] : [queue];
  // Two formats are two logs; the same one goes to both.
  const printing: Outlet =
    filed && pretty
      ? both(recordLog({ ...printed, sink: queue }), recordLog({ ...printed, format: "json", sink: filed }))
      : recordLog({ ...printed, sink: queues.length === 1 ? queue : everyOf(queues) });
  const { log } = printing;
  const { output, flush } = outgoing(printing.output, { queues, complain });
  const lastWords = (): void => {
    if (queues.some(({ writing }) => writing))
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LAST_MS);
    stdout.writeNow(queue.takeRest());
    if (filed) opened?.writeNow(filed.takeRest());
  };
  const { terminal } = stdout;
  return { log, output, flush, lastWords, terminal, hasHungUp: () => terminal && !stdout.terminal };
}

/** What is being written goes first, but nothing can tell when it has. */
const LAST_MS = 10;

function openFile(file: NonNullable<LogConfig["file"]>, log: () => Log): LogFile {
  try {
    return openLogFile({
      ...file,
      onTrouble: (message) => log().error(message),
      onRecovered: (lines) =>
        log().warn(`the log file ${file.path} is written again; ${lines} lines are missing`),
    });
  } catch (error) {
    throw new StartupError(`cannot open the log file ${file.path}: ${messageOf(error)}`, { cause: error });
  }
}

function everyOf(sinks: readonly RecordSink[]): RecordSink {
  return {
    write(bytes, what) {
      for (const sink of sinks) sink.write(bytes, what);
    },
    isFull: () => sinks.some((sink) => sink.isFull()),
    drained: async () => void (await Promise.all(sinks.map((sink) => sink.drained()))),
  };
}

function both(...outlets: [Outlet, Outlet]): Outlet {
  const outputs = outlets.map(({ output }) => output);
  const at =
    (level: keyof Log): Log[typeof level] =>
    (message, fields) => {
      for (const { log } of outlets) log[level](message, fields);
    };
  return {
    log: { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") },
    output: {
      open(service, stream, options) {
        const sinks = outputs.map((output) => output.open(service, stream, options));
        return {
          write(lines) {
            for (const sink of sinks) sink.write(lines);
          },
          end() {
            for (const sink of sinks) sink.end();
          },
        };
      },
      isFull: () => outputs.some((output) => output.isFull()),
      drained: async () => void (await Promise.all(outputs.map((output) => output.drained()))),
    },
  };
}

/** A word on standard error; it may be closed or full, too, so do not wait for it for long. Never rejects. */
function complain(message: string): Promise<void> {
  return tell(`haraka: ${message}\n`);
}
