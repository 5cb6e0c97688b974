// What the log says of a saga: the records of `ports/store.ts` that concern it, with their payloads. An event that decides what
// happens next says so (`next`), and carries every time that matters, so that folding needs no definition and no clock.
import type { Json } from "./json.ts";

/** Why something did not work, in words; `reason` is for programs. */
export type Failure = { message: string; reason?: string; status?: number };

/** Another attempt at `retryAtMs`; undo the saga; leave it to an operator. */
type Next = "retry" | "compensate" | "park";

/** Its steps need an operator; nobody here knows its definition; or to go on has failed in itself. */
export type ParkCause = "steps" | "definition" | "internal";

export type ResolveAction = "retry" | "done" | "skip" | "abort";

export type SagaEvent =
  | { type: "saga_started"; payload: { definition: string; version: string; hash: string } }
  /** Without a step: the timeout of the whole saga. */
  | { type: "timer_set"; step?: string; payload: { dueAtMs: number } }
  | { type: "timer_fired"; step?: string; payload: { dueAtMs: number } }
  /** `waits`: it makes no call, it sleeps or waits for a signal. `pivot`: from here on there is no way back. */
  | { type: "step_started"; step: string; payload: { attempt: number; waits?: true; pivot?: true } }
  /** `verified`: it was in doubt, and who was asked says that it is done. `signal`: the one that ended the wait. */
  | {
      type: "step_completed";
      step: string;
      payload: { attempt: number; output?: Json; verified?: true; signal?: string };
    }
  /** This attempt had no effect, for certain. With `next: "retry"` the step as a whole may yet be in doubt from an earlier one. */
  | {
      type: "step_failed";
      step: string;
      payload: { attempt: number; error: Failure; next: Next; retryAtMs?: number };
    }
  /** Nobody knows whether this attempt had its effect. `asked`: so many times in vain. */
  | {
      type: "step_in_doubt";
      step: string;
      payload: { attempt: number; error: Failure; next: Next | "verify"; retryAtMs?: number; asked?: number };
    }
  | { type: "compensation_started"; step: string; payload: { attempt: number } }
  | { type: "compensation_completed"; step: string; payload: { attempt: number } }
  | {
      type: "compensation_failed";
      step: string;
      payload: { attempt: number; error: Failure; next: "retry" | "park"; retryAtMs?: number };
    }
  | { type: "signal_received"; payload: { name: string; payload?: Json } }
  | { type: "cancel_requested"; payload: Record<string, never> }
  | { type: "saga_completed"; payload: Record<string, never> }
  | { type: "saga_compensated"; payload: { state: "compensated" | "cancelled" } }
  | { type: "saga_parked"; payload: { reason: string; cause: ParkCause } }
  | { type: "saga_resolved"; payload: { action: ResolveAction; steps: readonly string[]; output?: Json } };

/** Their names, every one: the compiler sees to it. */
export const SAGA_EVENTS: Readonly<Record<SagaEvent["type"], true>> = {
  saga_started: true,
  timer_set: true,
  timer_fired: true,
  step_started: true,
  step_completed: true,
  step_failed: true,
  step_in_doubt: true,
  compensation_started: true,
  compensation_completed: true,
  compensation_failed: true,
  signal_received: true,
  cancel_requested: true,
  saga_completed: true,
  saga_compensated: true,
  saga_parked: true,
  saga_resolved: true,
};

/** A record of the log as an event of its saga; `undefined`: it is none. The log is ours, so its payloads are taken as they are. */
export function sagaEvent(record: { type: string; step?: string; payload: Json }): SagaEvent | undefined {
  if (!Object.hasOwn(SAGA_EVENTS, record.type)) return undefined;
  const { type, step, payload } = record;
  return { type, ...(step !== undefined && { step }), payload } as SagaEvent;
}
