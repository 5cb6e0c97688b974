// What follows from the result of a call: what is appended, and with it whether the step is tried again, asked about, undone or left
// to an operator. It knows no time but the one it is told, and starts nothing: that is `saga-decide.ts`.
import type { Json } from "./json.ts";
import type { SagaDefinition, StepNode } from "../config/saga-definition.ts";
import { stepNode, type Direction } from "./saga-definition.ts";
import type { Failure, SagaEvent } from "./saga-event.ts";
import type { SagaState } from "./saga.ts";
import type { StepState } from "./saga-step.ts";

/** One call, of which there is one at a time for each step. */
export interface Call {
  step: string;
  direction: Direction;
  /** Counts from 1, for a verification those since it began. */
  attempt: number;
  /** After so long its outcome is `unknown`. */
  timeoutMs: number;
}

/** What tells a call apart from all others of its saga. */
export function callId({ step, direction, attempt }: Omit<Call, "timeoutMs">): string {
  return `${step}/${direction}/${attempt}`;
}

export type Result =
  /** Also: yes, it is done, from who was asked. */
  | { type: "done"; output?: Json }
  /** It had no effect and never will: a 4xx, a thrown error. From who was asked: no answer. */
  | { type: "failed"; error: Failure }
  /** It had no effect, but another attempt may: a refused connection, 425, 429, a thrown `Retry`. */
  | { type: "notDone"; error: Failure }
  /** Nobody knows: a timeout, 408, 5xx, a cut connection. `lost`: its process was. */
  | { type: "unknown"; error: Failure; lost?: true }
  /** From who was asked: no, it is not done. */
  | { type: "absent" };

export interface OutcomeOptions {
  call: Pick<Call, "step" | "direction" | "attempt">;
  result: Result;
  nowMs: number;
  /** From 0 up to, not including, 1. */
  random: number;
}

/** What is appended because of a result; nothing, when it is not the one that is waited for any more. */
export function outcome(
  state: SagaState,
  definition: SagaDefinition,
  options: OutcomeOptions,
): readonly SagaEvent[] {
  const { call } = options;
  const step = state.steps.get(call.step);
  if (!step || state.status === "parked" || !isAwaited(step, call)) return [];
  const node = stepNode(definition, call.step);
  const context: Context = { ...options, state, node, step };
  switch (call.direction) {
    case "execute":
      return [executed(context)];
    case "verify":
      return [verified(context)];
    case "compensate":
      return [compensated(context)];
    default:
      return call.direction satisfies never;
  }
}

interface Context extends OutcomeOptions {
  state: SagaState;
  node: StepNode;
  step: StepState;
}

function isAwaited(step: StepState, { direction, attempt }: OutcomeOptions["call"]): boolean {
  switch (direction) {
    case "execute":
      return step.phase === "running" && step.attempts === attempt;
    case "verify":
      return step.phase === "verifying" && step.asked + 1 === attempt;
    case "compensate":
      return step.phase === "compensating" && step.undoAttempts === attempt;
    default:
      return direction satisfies never;
  }
}

function executed(context: Context): SagaEvent {
  const { result, step, node, nowMs, state } = context;
  switch (result.type) {
    case "done":
      return completed(context, result.output);
    case "failed":
      // The answer to a key is the answer to all attempts with it: earlier ones are not in doubt any more.
      return notDone(context, { error: result.error, next: surrender(context) });
    case "absent":
    case "notDone": {
      const error = result.type === "absent" ? NOT_DONE : result.error;
      if (mayRetry(context)) return notDone(context, { error, ...retryOf(context, step.tried) });
      // An earlier attempt may have had its effect.
      if (step.inDoubt) return inDoubt(context, { error, next: state.pivot ? "park" : "compensate" });
      return notDone(context, { error, next: surrender(context) });
    }
    case "unknown": {
      const { error } = result;
      if (node.inDoubt === "manual") return inDoubt(context, { error, next: "park" });
      if (node.inDoubt === "verify") return inDoubt(context, { error, next: "verify", retryAtMs: nowMs });
      if (mayRetry(context)) return inDoubt(context, { error, ...retryOf(context, step.tried) });
      return inDoubt(context, { error, next: state.pivot ? "park" : "compensate" });
    }
    default:
      return result satisfies never;
  }
}

/** Of who was asked whether a step in doubt is done. */
function verified(context: Context): SagaEvent {
  const { result, step, node } = context;
  if (result.type === "done") return { ...completed(context, result.output, { verified: true }) };
  if (result.type === "absent") {
    const error = step.error ?? NOT_DONE;
    if (mayRetry(context)) return notDone(context, { error, ...retryOf(context, step.tried) });
    return notDone(context, { error, next: surrender(context) });
  }
  const asked = context.call.attempt;
  const { error } = result;
  if (asked >= node.retry.attempts) return inDoubt(context, { error, next: "park", asked });
  const { retryAtMs } = retryOf(context, asked);
  return inDoubt(context, { error, next: "verify", retryAtMs, asked });
}

/** A compensation that has failed for certain is tried again, too: it has to be done. */
function compensated(context: Context): SagaEvent {
  const { result, step, node } = context;
  const attempt = step.undoAttempts;
  if (result.type === "done") {
    return { type: "compensation_completed", step: node.name, payload: { attempt } };
  }
  const error = result.type === "absent" ? NOT_DONE : result.error;
  const isUnsure = result.type === "unknown" && node.inDoubt === "manual";
  const then =
    isUnsure || step.undoTried >= node.retry.attempts
      ? ({ next: "park" } as const)
      : retryOf(context, step.undoTried);
  return { type: "compensation_failed", step: node.name, payload: { attempt, error, ...then } };
}

const NOT_DONE: Failure = { message: "it is not done", reason: "not_done" };

/** While the saga goes forward and attempts remain. */
function mayRetry({ state, step, node }: Context): boolean {
  return !state.undoing && step.tried < node.retry.attempts;
}

/** Where a step leads that is not done and will not be tried again: undone before the pivot, and when the pivot itself failed. */
function surrender({ state, node }: Context): "compensate" | "park" {
  return state.pivot === undefined || state.pivot === node.name ? "compensate" : "park";
}

/** After `tried` attempts. What was lost with its process is not waited for. */
function retryOf({ node, nowMs, random, result }: Context, tried: number) {
  const { minMs, maxMs } = node.retry;
  const isLost = result.type === "unknown" && result.lost;
  const ceilingMs = Math.min(maxMs, minMs * 2 ** Math.min(tried, 40));
  const delayMs = isLost ? 0 : Math.round(minMs + (ceilingMs - minMs) * random);
  return { next: "retry" as const, retryAtMs: nowMs + delayMs };
}

function completed(
  { node, step }: Context,
  output: Json | undefined,
  how: { verified?: true } = {},
): SagaEvent {
  const given = output === undefined ? {} : { output };
  return { type: "step_completed", step: node.name, payload: { attempt: step.attempts, ...given, ...how } };
}

type PayloadOf<T extends "step_failed" | "step_in_doubt"> = Omit<
  Extract<SagaEvent, { type: T }>["payload"],
  "attempt"
>;

function notDone({ node, step }: Context, payload: PayloadOf<"step_failed">): SagaEvent {
  return { type: "step_failed", step: node.name, payload: { attempt: step.attempts, ...payload } };
}

function inDoubt({ node, step }: Context, payload: PayloadOf<"step_in_doubt">): SagaEvent {
  return { type: "step_in_doubt", step: node.name, payload: { attempt: step.attempts, ...payload } };
}
