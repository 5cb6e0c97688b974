// A saga as the outside sees it: the names of CONTRACT section 6 for what the machine keeps in finer detail. Only for showing; nothing
// decides by it.
import type { Json } from "./json.ts";
import type { SagaDefinition } from "../config/saga-definition.ts";
import { isEnded, outputsOf, type SagaState } from "./saga.ts";
import { namedNodes } from "./saga-definition.ts";
import type { Failure } from "./saga-event.ts";
import type { StepState } from "./saga-step.ts";

export type StepView = {
  name: string;
  state:
    | "pending"
    | "running"
    | "in_doubt"
    | "completed"
    | "failed"
    | "skipped"
    | "cancelled"
    | "compensating"
    | "compensated"
    | "parked";
  /** Calls to execute it. */
  attempts: number;
  output?: Json;
  error?: Failure;
};

export type SagaView = {
  state: SagaState["status"];
  steps: StepView[];
  /** What the steps gave, by name; once it is completed. */
  result?: Json;
  /** Why it is undone, parked, or was given up. */
  error?: Failure;
};

/** Steps in the order of the definition; without one, those that have begun, in the order in which they did. */
export function viewOf(state: SagaState, definition: SagaDefinition | undefined): SagaView {
  const names = definition ? namedNodes(definition).map(({ name }) => name) : [...state.steps.keys()];
  const error = errorOf(state);
  return {
    state: state.status,
    steps: names.map((name) => stepView(name, state)),
    ...(state.status === "completed" && { result: outputsOf(state) }),
    ...(error && { error }),
  };
}

function stepView(name: string, state: SagaState): StepView {
  const step = state.steps.get(name);
  if (!step) return { name, state: "pending", attempts: 0 };
  const { attempts, output, error } = step;
  return {
    name,
    state: stepState(step, state),
    attempts,
    ...(output !== undefined && { output }),
    ...(error !== undefined && { error }),
  };
}

function stepState(step: StepState, saga: SagaState): StepView["state"] {
  const isOver = saga.undoing !== undefined || isEnded(saga);
  switch (step.phase) {
    case "running":
      return step.inDoubt ? "in_doubt" : "running";
    case "backoff":
      if (step.inDoubt) return "in_doubt";
      return isOver ? "failed" : "running";
    case "waiting":
      return isOver ? "cancelled" : "running";
    case "verifying":
    case "in_doubt":
      return "in_doubt";
    case "stuck":
      return step.inDoubt ? "in_doubt" : "failed";
    case "compensation_backoff":
      return "compensating";
    case "compensation_stuck":
      return "parked";
    case "completed":
    case "failed":
    case "skipped":
    case "compensating":
    case "compensated":
      return step.phase;
    default:
      return step satisfies never;
  }
}

const UNDONE = {
  cancelled: { message: "it was cancelled", reason: "cancelled" },
  timeout: { message: "it has not come to its end in time", reason: "timeout" },
  aborted: { message: "an operator has aborted it", reason: "aborted" },
} as const;

function errorOf({ status, parked, undoing }: SagaState): Failure | undefined {
  if (parked) return { message: parked.reason, reason: "parked" };
  if (status === "failed") return UNDONE.aborted;
  if (!undoing) return undefined;
  if (undoing.cause !== "failed") return UNDONE[undoing.cause];
  const { step, error } = undoing;
  return {
    ...error,
    message: `"${step}": ${error?.message ?? "it has failed"}`,
    reason: error?.reason ?? "failed",
  };
}
