// How one service is brought to life and ended. A launcher belongs to one service: processes, modules from disk and
// instances handed over in code each have one. It decides nothing: order, deadlines and restarts are the core's.

import type { ProbeResult } from "./probe.ts";

/** What a launcher reports about one incarnation, in this order: `launched` at most once, then one `exited` or `failed`. */
export type LaunchOutcome =
  /**
   * A process has been spawned; a module's `startup()` has resolved. `manual`: it will say itself when it is ready. `health`: it
   * has a check of its own.
   */
  | { type: "launched"; pid?: number; manual?: boolean; health?: boolean }
  /**
   * It never came up: the command was not found, the module is missing, `startup()` threw, at `stack`. Final.
   */
  | { type: "failed"; reason: string; stack?: string }
  /**
   * It is over. A process: its code, or the signal that ended it. A module: `code` 0 after `shutdown()` resolved (or, for a
   * task, after `startup()` did), otherwise 1 and `reason`, and where its own code threw, if it did. Final.
   */
  | { type: "exited"; code: number | null; signal: string | null; reason?: string; stack?: string };

export interface Running {
  /** Asks it to end: the stop signal to a process group, `shutdown()` for a module. Later calls do nothing. */
  stop(): void;
  /**
   * Ends it now: SIGKILL to the process group. A module cannot be killed: it is abandoned, and `exited` is reported with a
   * reason. Either way `exited` or `failed` follows without further waiting on its good will.
   */
  kill(): void;
  /** Hands a signal on to the process itself, not its group. A module has no use for one. */
  signal?(name: string): void;
  /** The service's own check, for one that was launched with `health`. Resolves, never rejects; never runs twice at once. */
  health?(signal: AbortSignal): Promise<ProbeResult>;
}

export interface Launcher {
  /** Starts one incarnation. `report` may be called before this returns. Never throws. */
  launch(incarnation: number, report: (outcome: LaunchOutcome) => void): Running;
}
