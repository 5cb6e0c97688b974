// An execution that one function carries out: it is called once, and what it gives is the end of it. Whether a call that was lost with
// its process has done anything nobody can say, so it has failed, `interrupted`, and is not called again.
import type { Json } from "../core/json.ts";
import { callId, type Call, type Result } from "../core/saga-outcome.ts";
import type { Failure } from "../core/saga-event.ts";
import type { ExecutionState } from "../ports/plane.ts";
import type { Machine, RunEvent } from "./machine.ts";

export interface FunctionState {
  status: Exclude<ExecutionState, "compensating" | "compensated">;
  isCancelRequested: boolean;
  result?: Json;
  error?: Failure;
}

const INITIAL: FunctionState = { status: "pending", isCancelRequested: false };

/** The one call there is. */
const CALL: Call = { step: "", direction: "execute", attempt: 1, timeoutMs: Infinity };
const CALL_ID = callId(CALL);

const INTERRUPTED: Failure = {
  message: "the process that ran it has ended; how far it came nobody knows",
  reason: "interrupted",
};
const CANCELLED: Failure = { message: "it was cancelled", reason: "cancelled" };

/** Absent `isKnown`: nobody here has the function, and it parks. */
export function functionMachine({
  type,
  isKnown,
}: {
  type: string;
  isKnown: boolean;
}): Machine<FunctionState> {
  const unknown = `nobody here handles intents of the type "${type}"`;
  const move = (state: FunctionState): readonly RunEvent[] => {
    if (state.status !== "pending") return [];
    if (state.isCancelRequested) return [ended("execution_failed", { error: CANCELLED, state: "cancelled" })];
    if (isKnown) return [ended("execution_started", {})];
    return [ended("saga_parked", { reason: unknown, cause: "definition" })];
  };
  const refused = ({ status }: FunctionState) => ({ refused: `it is ${status}, and a function, not a saga` });
  return {
    initial: INITIAL,
    fold,
    status: ({ status }) => status,
    decide(state, { inFlight }) {
      const isLost = state.status === "running" && !inFlight.has(CALL_ID);
      const append = isLost ? [ended("execution_failed", { error: INTERRUPTED })] : move(state);
      const next = append.reduce(fold, state);
      const starts = state.status === "pending" && next.status === "running";
      const isUnwanted = next.status === "running" && !starts && next.isCancelRequested;
      return { append, state: next, calls: starts ? [CALL] : [], abort: isUnwanted ? [CALL_ID] : [] };
    },
    outcome: (state, { result }) => (state.status === "running" ? [eventOf(state, result)] : []),
    cancel(state) {
      if (isOver(state)) return { refused: `it is ${state.status}` };
      return { append: state.isCancelRequested ? [] : [ended("cancel_requested", {})] };
    },
    signal: refused,
    resolve(state, { action }) {
      if (state.status !== "parked") return refused(state);
      if (action !== "retry") return { refused: `${unknown}; register it, or retry` };
      return { append: [ended("saga_resolved", { action, steps: [] })] };
    },
    broken: (state, message) =>
      isOver(state) ? [] : [ended("execution_failed", { error: { message, reason: "internal" } })],
    awaitsDefinition: ({ status }) => status === "parked",
    outputs: () => ({}),
    outputOf: () => undefined,
    look: ({ status, result, error }) => ({
      state: status,
      ...(result !== undefined && { result }),
      ...(error && { error }),
    }),
  };
}

const ended = (type: RunEvent["type"], payload: Json): RunEvent => ({ type, payload });

const isOver = ({ status }: FunctionState): boolean =>
  status === "completed" || status === "failed" || status === "cancelled";

function eventOf({ isCancelRequested }: FunctionState, result: Result): RunEvent {
  if (result.type === "done") {
    return ended("execution_completed", result.output === undefined ? {} : { result: result.output });
  }
  const error = result.type === "absent" ? INTERRUPTED : result.error;
  return ended("execution_failed", {
    error: { ...error },
    ...(isCancelRequested && { state: "cancelled" }),
  });
}

function fold(state: FunctionState, event: RunEvent): FunctionState {
  if (isOver(state))
    throw new Error(`internal: a function that is ${state.status} cannot take ${event.type}`);
  const payload = event.payload as { result?: Json; error?: Failure; state?: "cancelled"; reason?: string };
  switch (event.type) {
    case "execution_started":
      return { ...state, status: "running" };
    case "cancel_requested":
      // Nothing waits any more for somebody who knows it.
      return {
        ...state,
        isCancelRequested: true,
        status: state.status === "parked" ? "pending" : state.status,
      };
    case "execution_completed":
      return {
        ...state,
        status: "completed",
        ...(payload.result !== undefined && { result: payload.result }),
      };
    case "execution_failed":
      return { ...state, status: payload.state ?? "failed", ...(payload.error && { error: payload.error }) };
    case "saga_parked":
      return { ...state, status: "parked", error: { message: payload.reason ?? "", reason: "parked" } };
    case "saga_resolved": {
      const { error: _, ...rest } = state;
      return { ...rest, status: "pending" };
    }
    default:
      return state;
  }
}
