// What a module service finds of the plane as `this.runtime`: seen through the tenant of that service.
import type { SagaDefinition } from "../config/saga-definition.ts";
import type { Execution, NewIntent, Sessions, StateSurface, Wal } from "./plane.ts";

/** Any schema that follows Standard Schema (standardschema.dev), as zod's do. */
export interface InputSchema<Input> {
  readonly "~standard": {
    validate(value: unknown): InputResult<Input> | Promise<InputResult<Input>>;
    readonly types?: { readonly output: Input } | undefined;
  };
}

type InputResult<Input> = { value: Input; issues?: undefined } | { issues: readonly InputIssue[] };

interface InputIssue {
  message: string;
  path?: readonly (PropertyKey | { key: PropertyKey })[] | undefined;
}

export interface HandlerCall<Input> {
  input: Input;
  /** The id of the session it was submitted in. */
  session: string;
  /** Its own id. */
  execution: string;
  /** Aborts when it is cancelled, or when the time of a shutdown is over. */
  signal: AbortSignal;
}

export interface PlaneSlices {
  readonly sessions: Sessions;
  readonly state: StateSurface;
  readonly wal: Wal;
  readonly intents: {
    submit(intent: NewIntent): Promise<Execution>;
    /** What the handler resolves with is the execution's result, what it throws its error. */
    register<Input = unknown>(
      type: string,
      options: { input?: InputSchema<Input> },
      handler: (call: HandlerCall<Input>) => unknown,
    ): void;
  };
  readonly sagas: {
    /** Takes what `saga(…)` has made. Throws `UsageError` for what it could not carry out. */
    register(saga: { readonly definition: SagaDefinition }): void;
  };
}
