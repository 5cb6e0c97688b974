// What the signals that come to this process mean to a run: end, read the config again, hand on; and what nobody has caught, or
// has not asked for. SIGQUIT ends it where no service is handed it.
import { onReloadSignal, onSignals, onStopSignal } from "../drivers/signals.ts";
import { onUncaught } from "../drivers/uncaught.ts";
import type { Config } from "../config/config.ts";
import { ExitCode, messageOf, stackOf } from "../errors.ts";
import type { Log } from "../ports/log.ts";
import type { Operator } from "../runtime/operator.ts";
import type { Supervisor } from "../runtime/supervisor.ts";
import type { StopSignals } from "./end-of-run.ts";
import { handOver } from "./first-signals.ts";
import { killAtExit } from "./last-resort.ts";

export interface SignalOptions {
  supervisor: Supervisor;
  operator: Operator;
  log: Log;
  /** An error that nobody has caught is no reason to end. */
  endures: boolean;
  /** Says what is left to say; called when the process ends before the supervisor has. */
  lastWords: () => void;
  /** The terminal that it was started on is closed. */
  hasHungUp: () => boolean;
}

export interface AttendedSignals extends StopSignals {
  /** From now on what the services of `config` ask for is handed on to them, whatever is in force when it comes. */
  forward(config: () => Config): void;
}

export function attendSignals({
  supervisor,
  operator,
  log,
  endures,
  lastWords,
  hasHungUp,
}: SignalOptions): AttendedSignals {
  let present: (() => Config) | undefined;
  const takersOf = (signal: string) =>
    (present?.().services ?? []).flatMap(({ name, run }) =>
      run.type === "process" && run.forwardSignals.includes(signal) ? [name] : [],
    );
  const late = new AbortController();
  let any = false;
  const stop = (signal: string) => {
    any = true;
    // Nothing is left to stop: it is about what has yet to leave the process.
    if (supervisor.state === "destroyed") late.abort(signal);
    else supervisor.onSignal(signal);
  };
  onStopSignal(stop);
  onSignals(["SIGQUIT"], (signal) => {
    if (takersOf(signal).length === 0) stop(signal);
  });
  handOver();
  killAtExit(supervisor, lastWords);
  onReloadSignal(() => {
    // A terminal says with the same signal that it is closed: who was started on it ends with it.
    if (hasHungUp()) operator.shutdown("stopping: its terminal was closed");
    else operator.reloadSoon();
  });
  onUncaught((error) => {
    log.error(`nobody caught: ${messageOf(error)}`, { stack: stackOf(error) });
    if (endures) return;
    const reason = `stopping after an uncaught error: ${messageOf(error)}`;
    void supervisor.shutdown({ reason, exitCode: ExitCode.internal });
  });
  return {
    get any() {
      return any;
    },
    late: late.signal,
    forward(config) {
      present = config;
      onSignals(FORWARDED, (signal) => {
        for (const name of takersOf(signal)) supervisor.forward(signal, name);
      });
    },
  };
}

/** As the schema has them. */
const FORWARDED = ["SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGQUIT", "SIGCONT"] as const;
