// What the signals that come to this process mean to a run: end, read the config again, hand on; and what nobody has caught.
import { onReloadSignal, onSignals, onStopSignal } from "../drivers/signals.ts";
import { onUncaught } from "../drivers/uncaught.ts";
import type { Config } from "../config/config.ts";
import { ExitCode, messageOf } from "../errors.ts";
import type { Log } from "../ports/log.ts";
import type { Operator } from "../runtime/operator.ts";
import type { Supervisor } from "../runtime/supervisor.ts";

export interface SignalOptions {
  supervisor: Supervisor;
  operator: Operator;
  log: Log;
  /** An error that nobody has caught is no reason to end. */
  endures: boolean;
}

export interface AttendedSignals {
  /** From now on what the services of `config` ask for is handed on to them, whatever is in force when it comes. */
  forward(config: () => Config): void;
}

export function attendSignals({ supervisor, operator, log, endures }: SignalOptions): AttendedSignals {
  onStopSignal((signal) => supervisor.onSignal(signal));
  onReloadSignal(() => void operator.reload());
  onUncaught((error) => {
    const stack = error instanceof Error ? error.stack : undefined;
    log.error(`nobody caught: ${messageOf(error)}`, { stack });
    if (endures) return;
    void supervisor.shutdown({ reason: "stopping after an uncaught error", exitCode: ExitCode.internal });
  });
  return {
    forward(config) {
      onSignals(FORWARDED, (signal) => {
        for (const { name, run } of config().services)
          if (run.type === "process" && run.forwardSignals.includes(signal)) supervisor.forward(signal, name);
      });
    },
  };
}

/** As the schema has them. Without a listener the first two would end this process. */
const FORWARDED = ["SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGQUIT", "SIGCONT"] as const;
