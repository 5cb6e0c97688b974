// The state of a saga as a fold of its log. Folding is mechanical: what an event means stands in the event, and one that cannot
// follow what came before is an internal error. What comes next is decided in `saga-decide.ts` and `saga-outcome.ts`.
import type { Json } from "./json.ts";
import type { Failure, ParkCause, SagaEvent } from "./saga-event.ts";
import { isActive, isOpen, isStuck, isToBeUndone, NEVER_TRIED, type StepState } from "./saga-step.ts";

export type SagaEnd = "completed" | "compensated" | "cancelled" | "failed";

export interface SagaState {
  /** Parked: an operator has to decide, or the definition has to turn up. */
  status: "pending" | "running" | "compensating" | "parked" | SagaEnd;
  /** What it was started with. */
  definition?: { name: string; version: string; hash: string };
  /** Those that have begun, in the order in which they did. */
  steps: ReadonlyMap<string, StepState>;
  /** Why no further step starts and what was done is undone. `failed`: a step has; `aborted`: by an operator. */
  undoing?: { cause: "failed" | "timeout" | "cancelled" | "aborted"; step?: string; error?: Failure };
  parked?: { reason: string; cause: ParkCause };
  /** The step after which there is no way back, once it has begun and unless it has failed for certain. */
  pivot?: string;
  /** When the time of the whole saga is over; absent once it has been told so. */
  timeoutAtMs?: number;
  /** Payloads of signals that nobody has waited for yet, by name, oldest first. */
  signals: ReadonlyMap<string, readonly Json[]>;
}

export const INITIAL: SagaState = { status: "pending", steps: new Map(), signals: new Map() };

export function isEnded({ status }: SagaState): boolean {
  return status === "completed" || status === "compensated" || status === "cancelled" || status === "failed";
}

/** What the steps gave that have given something, by name. */
export function outputsOf({ steps }: SagaState): Record<string, Json> {
  const outputs: Record<string, Json> = {};
  for (const [name, { output }] of steps) if (output !== undefined) outputs[name] = output;
  return outputs;
}

/** The state after an event. Throws an internal error for one that cannot happen in this state. */
export function fold(state: SagaState, event: SagaEvent): SagaState {
  if (isEnded(state)) refuse(state, event);
  switch (event.type) {
    case "saga_started": {
      if (state.status !== "pending") refuse(state, event);
      const { definition: name, version, hash } = event.payload;
      const status = state.undoing ? "compensating" : "running";
      return { ...state, definition: { name, version, hash }, status };
    }
    case "signal_received": {
      const { name, payload = null } = event.payload;
      return { ...state, signals: put(state.signals, name, [...(state.signals.get(name) ?? []), payload]) };
    }
    case "cancel_requested":
      if (state.pivot !== undefined) refuse(state, event);
      return undo(state, { cause: "cancelled" });
    case "saga_parked":
      return foldParked(state, event);
    case "saga_resolved":
      return foldResolved(state, event);
    default:
      return state.status === "running" || state.status === "compensating"
        ? foldMoving(state, event)
        : refuse(state, event);
  }
}

type Moving = Exclude<
  SagaEvent,
  { type: "saga_started" | "signal_received" | "cancel_requested" | "saga_parked" | "saga_resolved" }
>;

/** What only a saga that moves can take. */
function foldMoving(state: SagaState, event: Moving): SagaState {
  switch (event.type) {
    case "timer_set":
    case "timer_fired":
      return foldTimer(state, event);
    case "step_started":
      return foldStarted(state, event);
    case "step_completed":
      return foldCompleted(state, event);
    case "step_failed":
      return foldFailed(state, event);
    case "step_in_doubt":
      return foldInDoubt(state, event);
    case "compensation_started":
    case "compensation_completed":
    case "compensation_failed":
      return foldCompensation(state, event);
    case "saga_completed": {
      const isDone = ({ phase }: StepState) => phase === "completed" || phase === "skipped";
      if (state.undoing || ![...state.steps.values()].every(isDone)) refuse(state, event);
      return { ...state, status: "completed" };
    }
    case "saga_compensated": {
      const end = state.undoing?.cause === "cancelled" ? "cancelled" : "compensated";
      if (!state.undoing || event.payload.state !== end || !isQuiet(state)) refuse(state, event);
      return [...state.steps.values()].some(isStuck) ? refuse(state, event) : { ...state, status: end };
    }
    default:
      return event satisfies never;
  }
}

type Of<T extends SagaEvent["type"]> = Extract<SagaEvent, { type: T }>;

function foldTimer(state: SagaState, event: Of<"timer_set" | "timer_fired">): SagaState {
  const { dueAtMs } = event.payload;
  if (event.step === undefined) {
    if (event.type === "timer_set") {
      return state.timeoutAtMs === undefined && state.steps.size === 0
        ? { ...state, timeoutAtMs: dueAtMs }
        : refuse(state, event);
    }
    if (state.timeoutAtMs !== dueAtMs || state.pivot !== undefined || state.undoing) refuse(state, event);
    const { timeoutAtMs: _, ...rest } = state;
    const error = { message: "the saga has not come to its end in time", reason: "timeout" };
    return undo(rest, { cause: "timeout", error });
  }
  const step = state.steps.get(event.step);
  if (state.undoing || step?.phase !== "waiting" || step.fired) refuse(state, event);
  if (event.type === "timer_set") {
    return step.dueAtMs === undefined ? to(state, event, { ...step, dueAtMs }) : refuse(state, event);
  }
  return step.dueAtMs === dueAtMs ? to(state, event, { ...step, fired: true }) : refuse(state, event);
}

function foldStarted(state: SagaState, event: Of<"step_started">): SagaState {
  const { attempt, waits, pivot } = event.payload;
  const past = state.steps.get(event.step) ?? NEVER_TRIED;
  if (state.undoing || attempt !== past.attempts + 1) refuse(state, event);
  const counted = { ...pastOf(past), attempts: attempt, tried: past.tried + 1 };
  const next = to(state, event, { ...counted, phase: waits ? "waiting" : "running" });
  return pivot ? { ...next, pivot: event.step } : next;
}

function foldCompleted(state: SagaState, event: Of<"step_completed">): SagaState {
  const { attempt, output, signal } = event.payload;
  const { error: _, ...past } = stepAt(state, event, attempt);
  const next = to(state, event, { ...pastOf(past), inDoubt: false, phase: "completed", ...given(output) });
  if (signal === undefined) return next;
  const rest = (state.signals.get(signal) ?? refuse(state, event)).slice(1);
  return { ...next, signals: put(state.signals, signal, rest) };
}

function foldFailed(state: SagaState, event: Of<"step_failed">): SagaState {
  const { attempt, error, next, retryAtMs = 0 } = event.payload;
  const step = stepAt(state, event, attempt);
  const past = { ...pastOf(step), error };
  if (next === "retry") {
    if (state.undoing) refuse(state, event);
    const inDoubt = step.phase === "running" && step.inDoubt;
    return to(state, event, { ...past, inDoubt, phase: "backoff", retryAtMs });
  }
  if (next === "park") {
    if (state.pivot === undefined) refuse(state, event);
    return to(state, event, { ...past, inDoubt: false, phase: "stuck", ask: false });
  }
  const { pivot, ...rest } = state;
  if (pivot !== undefined && pivot !== event.step) refuse(state, event);
  const failed = to(rest, event, { ...past, inDoubt: false, phase: "failed" });
  return undo(failed, { cause: "failed", step: event.step, error });
}

function foldInDoubt(state: SagaState, event: Of<"step_in_doubt">): SagaState {
  const { attempt, error, next, retryAtMs = 0, asked = 0 } = event.payload;
  const step = stepAt(state, event, attempt);
  const past = { ...pastOf(step), inDoubt: true, error };
  switch (next) {
    case "retry":
      if (state.undoing || step.phase !== "running") refuse(state, event);
      return to(state, event, { ...past, phase: "backoff", retryAtMs });
    case "verify":
      return to(state, event, { ...past, phase: "verifying", askAtMs: retryAtMs, asked });
    case "park":
      return to(state, event, { ...past, phase: "stuck", ask: step.phase === "verifying" });
    case "compensate":
      if (state.pivot !== undefined) refuse(state, event);
      return undo(to(state, event, { ...past, phase: "in_doubt" }), {
        cause: "failed",
        step: event.step,
        error,
      });
    default:
      return next satisfies never;
  }
}

function foldCompensation(
  state: SagaState,
  event: Of<"compensation_started" | "compensation_completed" | "compensation_failed">,
): SagaState {
  const { attempt } = event.payload;
  const step = state.steps.get(event.step);
  if (!step || !state.undoing || state.pivot !== undefined) refuse(state, event);
  if (event.type === "compensation_started") {
    const isNext = isToBeUndone(step) || step.phase === "compensation_backoff";
    if (!isNext || attempt !== step.undoAttempts + 1 || isGoingForward(state)) refuse(state, event);
    const counted = { undoAttempts: attempt, undoTried: step.undoTried + 1 };
    return to(state, event, { ...pastOf(step), ...counted, phase: "compensating" });
  }
  if (attempt !== step.undoAttempts) refuse(state, event);
  if (event.type === "compensation_completed")
    return to(state, event, { ...pastOf(step), phase: "compensated" });
  const { error, next, retryAtMs = 0 } = event.payload;
  const past = { ...pastOf(step), error };
  return next === "park"
    ? to(state, event, { ...past, phase: "compensation_stuck" })
    : to(state, event, { ...past, phase: "compensation_backoff", retryAtMs });
}

function foldParked(state: SagaState, event: Of<"saga_parked">): SagaState {
  const { cause } = event.payload;
  const isDue = cause !== "steps" || (isQuiet(state) && [...state.steps.values()].some(isStuck));
  if (state.status === "parked" || !isDue) refuse(state, event);
  return { ...state, status: "parked", parked: event.payload };
}

function foldResolved(parkedState: SagaState, event: Of<"saga_resolved">): SagaState {
  const { parked, ...rest } = parkedState;
  if (!parked) refuse(parkedState, event);
  const { action, steps, output } = event.payload;
  const moving = rest.undoing ? "compensating" : "running";
  const state: SagaState = { ...rest, status: rest.definition ? moving : "pending" };
  if (parked.cause !== "steps") return action === "retry" ? state : refuse(parkedState, event);
  if (action === "abort") return abort(state, event);
  return steps.reduce((next, name) => {
    const step = state.steps.get(name);
    if (!step || !isStuck(step)) refuse(parkedState, event);
    return to(next, { ...event, step: name }, resolved(step, { action, output, state: parkedState, event }));
  }, state);
}

interface Resolution {
  action: "retry" | "done" | "skip";
  output: Json | undefined;
  state: SagaState;
  event: SagaEvent;
}

function resolved(step: StepState, { action, output, state, event }: Resolution): StepState {
  const past = pastOf(step);
  const isForward = step.phase === "stuck";
  switch (action) {
    case "retry":
      if (!isForward) return { ...past, undoTried: 0, phase: "compensation_backoff", retryAtMs: 0 };
      if (step.ask) return { ...past, phase: "verifying", askAtMs: 0, asked: 0 };
      return state.undoing ? refuse(state, event) : { ...past, tried: 0, phase: "backoff", retryAtMs: 0 };
    case "done":
      if (!isForward) return { ...past, phase: "compensated" };
      return { ...past, inDoubt: false, phase: "completed", ...given(output) };
    case "skip":
      return { ...past, inDoubt: false, phase: "skipped" };
    default:
      return action satisfies never;
  }
}

/** Past the pivot the saga ends as it is; before it, what was done is undone. */
function abort(state: SagaState, event: Of<"saga_resolved">): SagaState {
  if (state.undoing) refuse(state, event);
  if (state.pivot !== undefined) return { ...state, status: "failed" };
  let next = state;
  for (const [name, step] of state.steps) {
    if (step.phase === "stuck") next = to(next, { ...event, step: name }, { ...step, phase: "in_doubt" });
  }
  return undo(next, { cause: "aborted" });
}

/** The first reason stays. */
function undo(state: SagaState, undoing: NonNullable<SagaState["undoing"]>): SagaState {
  if (state.undoing) return state;
  return { ...state, undoing, status: state.status === "running" ? "compensating" : state.status };
}

/** No call is under way or to come by itself. */
function isQuiet(state: SagaState): boolean {
  return ![...state.steps.values()].some((step) => isActive(step, state.undoing !== undefined));
}

function isGoingForward({ steps }: SagaState): boolean {
  return [...steps.values()].some(
    ({ phase }) => phase === "running" || phase === "verifying" || phase === "stuck",
  );
}

/** The step of an event about its latest attempt. */
function stepAt(state: SagaState, event: SagaEvent & { step: string }, attempt: number): StepState {
  const step = state.steps.get(event.step);
  return step && step.attempts === attempt ? step : refuse(state, event);
}

function to(state: SagaState, event: { type: SagaEvent["type"]; step?: string }, next: StepState): SagaState {
  const name = event.step ?? "";
  if (!isOpen(state.steps.get(name)?.phase, next.phase)) refuse(state, event);
  return { ...state, steps: put(state.steps, name, next) };
}

function put<V>(map: ReadonlyMap<string, V>, key: string, value: V): ReadonlyMap<string, V> {
  return new Map(map).set(key, value);
}

function pastOf({
  attempts,
  tried,
  undoAttempts,
  undoTried,
  inDoubt,
  output,
  error,
}: Omit<StepState, "phase">) {
  const counts = { attempts, tried, undoAttempts, undoTried, inDoubt };
  return { ...counts, ...given(output), ...(error !== undefined && { error }) };
}

function given(output: Json | undefined): { output?: Json } {
  return output === undefined ? {} : { output };
}

function refuse(state: SagaState, { type, step }: { type: string; step?: string }): never {
  const about =
    step === undefined ? type : `${type} of "${step}" (${state.steps.get(step)?.phase ?? "not begun"})`;
  throw new Error(`internal: a saga that is ${state.status} cannot take ${about}`);
}
