// What an execution goes by, whatever carries it out: a pure machine whose state is a fold of its log. The engine knows only this; a
// saga's is in the core, and is bound to its definition here, or to none where nobody knows it.
import type { Json } from "../core/json.ts";
import type { SagaDefinition } from "../config/saga-definition.ts";
import { fold, INITIAL, outputsOf, type SagaState } from "../core/saga.ts";
import * as command from "../core/saga-command.ts";
import { decide, type DecideOptions } from "../core/saga-decide.ts";
import { sagaEvent, type SagaEvent } from "../core/saga-event.ts";
import { type Call, outcome, type OutcomeOptions } from "../core/saga-outcome.ts";
import { viewOf } from "../core/saga-view.ts";
import type { ExecutionError, ExecutionState, Resolution, StepView } from "../ports/plane.ts";
import type { WalType } from "../ports/store.ts";

/** A record of an execution, as far as its machine cares. */
export interface RunEvent {
  type: WalType;
  step?: string;
  payload: Json;
}

export type Answer = { append: readonly RunEvent[] } | { refused: string };

export interface Progress<S> {
  append: readonly RunEvent[];
  /** With these appended. */
  state: S;
  /** To go out once they are durable. */
  calls: readonly Call[];
  /** Of no use any more. */
  abort: readonly string[];
  wakeAtMs?: number;
}

export interface Look {
  state: ExecutionState;
  result?: Json;
  error?: ExecutionError;
  steps?: readonly StepView[];
}

export interface Machine<S> {
  readonly initial: S;
  /** A record that is none of its own leaves it as it is. */
  fold(state: S, event: RunEvent): S;
  status(state: S): ExecutionState;
  decide(state: S, options: DecideOptions): Progress<S>;
  outcome(state: S, options: OutcomeOptions): readonly RunEvent[];
  cancel(state: S): Answer;
  signal(state: S, signal: { name: string; payload?: Json }): Answer;
  resolve(state: S, resolution: Resolution): Answer;
  /** To go on has failed in itself: what is to be appended for that to be seen. Nothing where it stands still anyway. */
  broken(state: S, reason: string): readonly RunEvent[];
  /** It is parked for no other reason than that nobody knew what carries it out. */
  awaitsDefinition(state: S): boolean;
  /** What its steps have given, by name. */
  outputs(state: S): Record<string, Json>;
  outputOf(state: S, step: string): Json | undefined;
  look(state: S): Look;
}

/** A state of any machine: only its own machine looks into it. */
export type AnyMachine = Machine<unknown>;

export interface SagaMachineOptions {
  /** Absent: nobody knows it; the saga parks. */
  definition?: SagaDefinition;
  hash: string;
  /** The type of the intent. */
  type: string;
}

export function sagaMachine({ definition, hash, type }: SagaMachineOptions): Machine<SagaState> {
  const unknown = `nobody here knows the definition ${hash.slice(0, 12)} of "${type}"`;
  return {
    initial: INITIAL,
    fold(state, record) {
      const event = sagaEvent(record);
      return event ? fold(state, event) : state;
    },
    status: ({ status }) => status,
    decide(before, options) {
      if (!definition) return parked(before, unknown);
      const begun = isToBegin(before) ? command.start(definition, { hash, nowMs: options.nowMs }) : [];
      const state = begun.reduce(fold, before);
      const { done: _, append, ...decision } = decide(state, definition, options);
      return {
        ...decision,
        append: (begun.length === 0 ? append : [...begun, ...append]) as readonly RunEvent[],
      };
    },
    outcome: (state, options) =>
      definition ? (outcome(state, definition, options) as readonly RunEvent[]) : [],
    cancel: (state) => command.cancel(state) as Answer,
    signal(state, signal) {
      return definition ? (command.signal(state, definition, signal) as Answer) : { refused: unknown };
    },
    resolve: (state, resolution) => command.resolve(state, resolution) as Answer,
    broken: (state, reason) => command.park(state, { reason, cause: "internal" }) as readonly RunEvent[],
    awaitsDefinition: ({ status, parked: why }) => status === "parked" && why?.cause === "definition",
    outputs: outputsOf,
    outputOf: (state, step) => state.steps.get(step)?.output,
    look: (state) => viewOf(state, definition),
  };
}

/** It is told of, and neither begun nor parked. */
const isToBegin = (state: SagaState): boolean => state.status === "pending" && state.definition === undefined;

function parked(state: SagaState, reason: string): Progress<SagaState> {
  const append: readonly SagaEvent[] = command.park(state, { reason, cause: "definition" });
  return { append: append as readonly RunEvent[], state: append.reduce(fold, state), calls: [], abort: [] };
}
