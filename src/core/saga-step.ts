// The phases of one step of a saga and the ways between them. The only place that says which way is open; the log decides which one
// is taken.
import type { Json } from "./json.ts";
import type { Failure } from "./saga-event.ts";

/** What is remembered of a step whatever its phase. */
interface Past {
  /** Calls to execute it that were started, ever, and since an operator last asked for more. */
  attempts: number;
  tried: number;
  /** As `attempts` and `tried`, of its compensation. */
  undoAttempts: number;
  undoTried: number;
  /** One of its calls may have had its effect: nobody knows. */
  inDoubt: boolean;
  output?: Json;
  /** What went wrong last. */
  error?: Failure;
}

export type StepState = Past &
  (
    | { phase: "running" }
    | { phase: "backoff"; retryAtMs: number }
    /** In doubt, and being asked about. */
    | { phase: "verifying"; askAtMs: number; asked: number }
    /** For a signal, or asleep. `fired`: its timer has. */
    | { phase: "waiting"; dueAtMs?: number; fired?: true }
    | { phase: "completed" }
    /** It had no effect, for certain. */
    | { phase: "failed" }
    /** Out of attempts, or not to be tried any more; to be undone as if it were done. */
    | { phase: "in_doubt" }
    /** An operator has to decide. `ask`: another attempt means to ask again. */
    | { phase: "stuck"; ask: boolean }
    | { phase: "skipped" }
    | { phase: "compensating" }
    | { phase: "compensation_backoff"; retryAtMs: number }
    | { phase: "compensation_stuck" }
    | { phase: "compensated" }
  );

export type StepPhase = StepState["phase"];

export const NEVER_TRIED: Past = { attempts: 0, tried: 0, undoAttempts: 0, undoTried: 0, inDoubt: false };

/*
 * The diagram; test/core/saga.test.ts compares it with NEXT. A step begins as running or waiting.
 *
 *   running              ──▶ completed  failed  in_doubt  backoff  verifying  stuck
 *   backoff              ──▶ running  waiting  compensating
 *   verifying            ──▶ verifying  completed  failed  backoff  stuck
 *   waiting              ──▶ waiting  completed  failed  stuck
 *   completed            ──▶ compensating
 *   failed               ──▶
 *   in_doubt             ──▶ compensating
 *   stuck                ──▶ backoff  verifying  completed  skipped  in_doubt
 *   skipped              ──▶
 *   compensating         ──▶ compensated  compensation_backoff  compensation_stuck
 *   compensation_backoff ──▶ compensating
 *   compensation_stuck   ──▶ compensation_backoff  compensated  skipped
 *   compensated          ──▶
 */
const NEXT: Readonly<Record<StepPhase, readonly StepPhase[]>> = {
  running: ["completed", "failed", "in_doubt", "backoff", "verifying", "stuck"],
  backoff: ["running", "waiting", "compensating"],
  verifying: ["verifying", "completed", "failed", "backoff", "stuck"],
  waiting: ["waiting", "completed", "failed", "stuck"],
  completed: ["compensating"],
  failed: [],
  in_doubt: ["compensating"],
  stuck: ["backoff", "verifying", "completed", "skipped", "in_doubt"],
  skipped: [],
  compensating: ["compensated", "compensation_backoff", "compensation_stuck"],
  compensation_backoff: ["compensating"],
  compensation_stuck: ["compensation_backoff", "compensated", "skipped"],
  compensated: [],
};

export function isOpen(from: StepPhase | undefined, to: StepPhase): boolean {
  return from === undefined ? to === "running" || to === "waiting" : NEXT[from].includes(to);
}

/** It makes calls, or will: nothing can be undone and nobody asked before it has settled. Once a saga is undone, no step is retried. */
export function isActive({ phase }: StepState, undoing: boolean): boolean {
  switch (phase) {
    case "running":
    case "verifying":
    case "compensating":
    case "compensation_backoff":
      return true;
    case "backoff":
    case "waiting":
      return !undoing;
    case "completed":
    case "failed":
    case "in_doubt":
    case "stuck":
    case "skipped":
    case "compensation_stuck":
    case "compensated":
      return false;
    default:
      return phase satisfies never;
  }
}

/** An operator has to decide. */
export function isStuck({ phase }: StepState): boolean {
  return phase === "stuck" || phase === "compensation_stuck";
}

/** It is done, or may be, and nothing of it has been undone. */
export function isToBeUndone(step: StepState): boolean {
  return (
    step.phase === "completed" || step.phase === "in_doubt" || (step.phase === "backoff" && step.inDoubt)
  );
}
