// What is asked of a saga from outside: start it, cancel it, give it a signal, resolve what it is parked for. Each gives what is to be
// appended, or says why it cannot be. What is appended must follow the state that was looked at: under the same version check as
// all that is appended of the execution.
import type { Json } from "./json.ts";
import type { SagaDefinition } from "../config/saga-definition.ts";
import { isEnded, type SagaState } from "./saga.ts";
import { namedNodes } from "./saga-definition.ts";
import type { ParkCause, ResolveAction, SagaEvent } from "./saga-event.ts";
import { isStuck, type StepState } from "./saga-step.ts";

/** `refused` ends "cannot … : ", for a 409. */
export type Answer = { append: readonly SagaEvent[] } | { refused: string };

/** The first events of a saga. The hash is over `canonicalText`. */
export function start(
  { name, version, timeoutMs }: SagaDefinition,
  { hash, nowMs }: { hash: string; nowMs: number },
): readonly SagaEvent[] {
  const started: SagaEvent = { type: "saga_started", payload: { definition: name, version, hash } };
  if (timeoutMs === undefined) return [started];
  return [started, { type: "timer_set", payload: { dueAtMs: nowMs + timeoutMs } }];
}

/**
 * Nobody here knows its definition, or to go on by it has failed in itself. It goes on by `resolve` with `retry`, once somebody does, or to
 * see whether it fails again.
 */
export function park(
  state: SagaState,
  { reason, cause }: { reason: string; cause: Exclude<ParkCause, "steps"> },
): readonly SagaEvent[] {
  if (isEnded(state) || state.status === "parked") return [];
  return [{ type: "saga_parked", payload: { reason, cause } }];
}

/** Nothing is appended, and that is right, when it is being undone already. */
export function cancel(state: SagaState): Answer {
  if (isEnded(state)) return { refused: `it is ${state.status}` };
  if (state.pivot !== undefined) return { refused: `it is past its pivot "${state.pivot}"` };
  return { append: state.undoing ? [] : [{ type: "cancel_requested", payload: {} }] };
}

/** A signal may come before it is waited for; its payload is kept, one for each step that waits for it. */
export function signal(
  state: SagaState,
  definition: SagaDefinition,
  { name, payload }: { name: string; payload?: Json },
): Answer {
  if (isEnded(state)) return { refused: `it is ${state.status}` };
  if (state.undoing) return { refused: "it is being undone and waits for no signal any more" };
  const waits = namedNodes(definition).filter((node) => node.type === "signal" && node.signal === name);
  if (waits.length === 0) return { refused: `none of its steps waits for a signal "${name}"` };
  const open = waits.filter((node) => isUnanswered(state.steps.get(node.name)));
  if (open.length <= (state.signals.get(name)?.length ?? 0)) {
    return { refused: `the signal "${name}" has been received` };
  }
  const given = payload === undefined ? {} : { payload };
  return { append: [{ type: "signal_received", payload: { name, ...given } }] };
}

function isUnanswered(step: StepState | undefined): boolean {
  return step?.phase !== "completed" && step?.phase !== "skipped";
}

export interface Resolution {
  action: ResolveAction;
  /** May be left out with `abort`, with `retry` (all that need it), and where only one needs it. */
  step?: string;
  /** With `done`. */
  output?: Json;
}

/** An operator's word on a parked saga. Without a definition, as long as nobody knows it, only `retry` has a meaning. */
export function resolve(state: SagaState, { action, step, output }: Resolution): Answer {
  if (state.status !== "parked" || !state.parked) return { refused: `it is ${state.status}, not parked` };
  const answer = (steps: readonly string[]): Answer => {
    const given = output === undefined || action !== "done" ? {} : { output };
    return { append: [{ type: "saga_resolved", payload: { action, steps, ...given } }] };
  };
  if (state.parked.cause === "definition") {
    return action === "retry" ? answer([]) : { refused: `${state.parked.reason}; register it, or retry` };
  }
  if (state.parked.cause === "internal") {
    return action === "retry" ? answer([]) : { refused: `${state.parked.reason}; retry it first` };
  }
  if (action === "abort") {
    return state.undoing
      ? { refused: "it is being undone already: retry, done or skip" }
      : answer(stuckIn(state));
  }
  const stuck = stuckIn(state);
  if (step !== undefined && !stuck.includes(step)) {
    return { refused: `"${step}" does not need it; ${inWords(stuck)} does` };
  }
  if (step === undefined && action !== "retry" && stuck.length > 1) {
    return { refused: `several steps need it, say which: ${inWords(stuck)}` };
  }
  const meant = step === undefined ? stuck : [step];
  if (action !== "retry") return answer(meant);
  const possible = meant.filter((name) => mayRetry(state, name));
  return possible.length > 0
    ? answer(possible)
    : {
        refused: `the saga is being undone, and no step starts any more: say of ${inWords(meant)} done or skip`,
      };
}

function stuckIn({ steps }: SagaState): string[] {
  return [...steps].filter(([, step]) => isStuck(step)).map(([name]) => name);
}

/** Once the saga is undone a step is not called again; it may still be asked about, and its compensation is called. */
function mayRetry({ steps, undoing }: SagaState, name: string): boolean {
  const step = steps.get(name);
  return !undoing || step?.phase !== "stuck" || step.ask;
}

function inWords(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(", ");
}
