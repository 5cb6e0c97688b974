// The last moments of the executable: the services have stopped, and what they and the runtime have written has yet to leave.
// Signals are heeded to the end; what made it end is the last word.
import { exitCodeOf } from "../core/exit.ts";
import { ExitCode } from "../errors.ts";
import type { LedgerStatus } from "../ports/control.ts";
import type { ShutdownReport } from "../runtime/shutdown.ts";
import type { OpenLog } from "./open-log.ts";
import { flushMs } from "./outgoing.ts";

export interface StopSignals {
  /** Whether one has come. */
  readonly any: boolean;
  /** Aborts, with its name, at one that comes when there is nothing left to stop. */
  readonly late: AbortSignal;
}

export interface EndOfRun {
  flush: OpenLog["flush"];
  ledger: LedgerStatus | undefined;
  signals: StopSignals;
}

export interface RunEnd {
  exitCode: number;
  /** What brought it about; absent after a clean end. */
  cause?: string;
}

export async function endOfRun(
  report: ShutdownReport,
  { flush, ledger, signals }: EndOfRun,
): Promise<RunEnd> {
  const { late } = signals;
  // A slow reader of what has ended by itself is nothing to worry about.
  const isOut = await flush({ withinMs: flushMs(report, ledger), patient: !signals.any, hurry: late });
  if (!isOut && late.aborted) {
    const exitCode = exitCodeOf({ code: null, signal: String(late.reason) });
    return { exitCode, cause: `${late.reason} a second time` };
  }
  const { exitCode, service } = report;
  const isClean = exitCode === ExitCode.ok && service === undefined;
  return isClean ? { exitCode } : { exitCode, cause: causeOf(report) };
}

function causeOf({ exitCode, reason, stages }: ShutdownReport): string {
  const late = stages.flatMap((stage) => stage.late);
  if (exitCode !== ExitCode.budget || late.length === 0) return reason;
  return `${reason}: the budget ran out; late: ${late.join(", ")}`;
}
