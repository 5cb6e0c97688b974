// A saga written in TypeScript: its definition, and beside it the functions behind its steps. Every call gives a new saga with one more
// step, so that types know what came before. It runs nothing, and what it refuses it refuses where it is written.
import type * as zod from "zod";
import { acceptSpan, acceptSpans } from "../config/accept.ts";
import {
  type InDoubtPolicy,
  type SagaDefinition,
  type SagaNode,
  sagaProblems,
  STEP_DEFAULTS,
  type StepNode,
} from "../config/saga-definition.ts";
import { UsageError } from "../errors.ts";

/** Thrown by a step: it is not done, for certain, and another attempt may do it. */
export class Retry extends Error {
  override readonly name = "Retry";
}

/** What has gone through the log as JSON and come back. */
export type Stored<T> = 0 extends 1 & T
  ? T
  : T extends string | number | boolean | null
    ? T
    : T extends { toJSON(): infer J }
      ? Stored<J>
      : T extends object
        ? { [K in keyof T]: Stored<T[K]> }
        : unknown extends T
          ? T
          : undefined;

/** What the function behind a step is called with. */
export interface StepContext<Input, Outputs> {
  input: Input;
  /** What earlier steps gave, by name. */
  outputs: Outputs;
  /** The same for every attempt and every owner: hand it on as the idempotency key. */
  key: string;
  /** Counts from 1. */
  attempt: number;
  execution: string;
  saga: string;
  /** Aborts when the step's time is over, or nobody needs it any more. */
  signal: AbortSignal;
}

export interface CompensateContext<Input, Outputs, Output> extends StepContext<Input, Outputs> {
  /** What `execute` gave; `undefined` when nobody knows whether it was done. */
  output: Output | undefined;
}

export interface StepOptions<Input, Outputs, Output> {
  /** Throwing fails the step for certain; `throw new Retry()` asks for another attempt. */
  execute(context: StepContext<Input, Outputs>): Output | Promise<Output>;
  /** Undoes it, also where it may have had no effect. Tried until attempts are used up, whatever it throws. */
  compensate?(context: CompensateContext<Input, Outputs, Stored<NoInfer<Output>>>): unknown;
  /** Whether it is done: what `execute` would have given, or `undefined`: it is not. Throwing is no answer. */
  verify?(
    context: StepContext<Input, Outputs>,
  ): NoInfer<Output> | undefined | Promise<NoInfer<Output> | undefined>;
  /** Default: 5 attempts, with waits of `100ms..5s`. */
  retry?: { attempts?: number; backoff?: string };
  /** How long one attempt may take. Default: `30s`. */
  timeout?: string;
  /** When nobody knows whether it is done. Default: `idempotent`, it is called again with the same key. */
  inDoubt?: InDoubtPolicy;
  /** After it there is no way back: nothing is compensated any more. */
  pivot?: boolean;
}

/** A step of a parallel group. TypeScript cannot infer within a map what `compensate` gets of `execute`: say the type there. */
export interface Branch<Input, Outputs> extends Omit<
  StepOptions<Input, Outputs, unknown>,
  "compensate" | "verify" | "pivot"
> {
  compensate?(context: CompensateContext<Input, Outputs, any>): unknown;
  verify?(context: StepContext<Input, Outputs>): unknown;
}

type OutputOf<B> = B extends { execute(context: never): infer Output } ? Awaited<Output> : never;

/** The functions behind a step, as an engine calls them. */
export interface StepFunctions {
  execute(context: StepContext<unknown, unknown>): unknown;
  compensate?(context: CompensateContext<unknown, unknown, unknown>): unknown;
  verify?(context: StepContext<unknown, unknown>): unknown;
}

interface Parts<Input> {
  definition: SagaDefinition;
  input?: zod.ZodType<Input>;
  functions: ReadonlyMap<string, StepFunctions>;
  signals: ReadonlyMap<string, zod.ZodType>;
}

export class Saga<Input = unknown, Outputs = unknown> {
  readonly definition: SagaDefinition;
  /** What the payload of the intent has to be; handlers get what it makes of it. */
  readonly input?: zod.ZodType<Input>;
  /** By the name of the step. */
  readonly functions: ReadonlyMap<string, StepFunctions>;
  /** What the payload of a signal has to be, by its name. */
  readonly signals: ReadonlyMap<string, zod.ZodType>;

  constructor({ definition, input, functions, signals }: Parts<Input>) {
    this.definition = definition;
    if (input) this.input = input;
    this.functions = functions;
    this.signals = signals;
  }

  step<const Name extends string, Output>(
    name: Name,
    options: StepOptions<Input, Outputs, Output>,
  ): Saga<Input, Outputs & Record<Name, Stored<Output>>> {
    const node = stepNode({ saga: this.definition.name, name }, options);
    return this.#with(node, { functions: new Map([...this.functions, [name, functionsOf(options)]]) });
  }

  /** Steps that run at the same time, by name. None of them sees what the others give. */
  parallel<Branches extends Record<string, Branch<Input, Outputs>>>(
    branches: Branches,
  ): Saga<Input, Outputs & { [Name in keyof Branches]: Stored<OutputOf<Branches[Name]>> }> {
    const all = Object.entries(branches);
    const saga = this.definition.name;
    const nodes = all.map(([name, options]) => stepNode({ saga, name }, options));
    const functions = all.map(([name, options]) => [name, functionsOf(options)] as const);
    return this.#with(
      { type: "parallel", branches: nodes },
      { functions: new Map([...this.functions, ...functions]) },
    );
  }

  /** Waits for `POST …/signal {name}`, which may have come already; its payload is the output. */
  signal<const Name extends string, Schema extends zod.ZodType = zod.ZodUnknown>(
    name: Name,
    { input, timeout }: { input?: Schema; timeout?: string } = {},
  ): Saga<Input, Outputs & Record<Name, Stored<zod.output<Schema>>>> {
    const at = { saga: this.definition.name, name };
    const limit = timeout === undefined ? {} : { timeoutMs: span(at, { timeout }) };
    const signals = input ? new Map([...this.signals, [name, input]]) : this.signals;
    return this.#with({ type: "signal", name, signal: name, ...limit }, { signals });
  }

  sleep(name: string, delay: string): Saga<Input, Outputs> {
    const delayMs = span({ saga: this.definition.name, name }, { delay });
    return this.#with({ type: "sleep", name, delayMs }, {});
  }

  #with<Next>(node: SagaNode, parts: Partial<Parts<Input>>): Saga<Input, Next> {
    const { input, functions, signals } = this;
    const definition = { ...this.definition, nodes: [...this.definition.nodes, node] };
    refuseProblems(definition);
    return new Saga({ functions, signals, ...parts, definition, ...(input && { input }) });
  }
}

export interface SagaOptions<Schema extends zod.ZodType> {
  input?: Schema;
  /** From its start to its pivot or its end; then it is undone. Default: none. */
  timeout?: string;
  /** Raise it when steps change: sagas that run go on by the version that they began with. Default: `1`. */
  version?: string;
}

/** A saga without a step yet. Throws `UsageError`, as do its methods, for what cannot be. */
export function saga<Schema extends zod.ZodType = zod.ZodUnknown>(
  name: string,
  { input, timeout, version = "1" }: SagaOptions<Schema> = {},
): Saga<zod.output<Schema>, {}> {
  const limit = timeout === undefined ? {} : { timeoutMs: span({ saga: name }, { timeout }) };
  const definition: SagaDefinition = { name, version, ...(input && { input }), ...limit, nodes: [] };
  refuseProblems(definition);
  const parts = { definition, functions: new Map(), signals: new Map() };
  return new Saga({ ...parts, ...(input && { input: input as zod.ZodType<zod.output<Schema>> }) });
}

/** A saga may have no step only while it is written. */
function refuseProblems(definition: SagaDefinition): void {
  const problem = sagaProblems(definition).find(({ path }) => path.length > 1 || path[0] !== "nodes");
  if (problem) throw new UsageError(`cannot define the saga "${definition.name}": ${problem.message}`);
}

function functionsOf({ execute, compensate, verify }: Branch<never, never>): StepFunctions {
  return { execute, ...(compensate && { compensate }), ...(verify && { verify }) } as StepFunctions;
}

function stepNode(
  at: Place & { name: string },
  {
    compensate,
    verify,
    retry = {},
    timeout,
    inDoubt,
    pivot = false,
  }: Branch<never, never> & { pivot?: boolean },
): StepNode {
  const backoff = retry.backoff ?? STEP_DEFAULTS.backoff;
  const waits = acceptSpans(backoff);
  if (!waits) refuse(at, `expected \`backoff\` to be two durations such as 100ms..10s, got "${backoff}"`);
  return {
    type: "step",
    name: at.name,
    compensable: compensate !== undefined,
    verifiable: verify !== undefined,
    pivot,
    timeoutMs: span(at, { timeout: timeout ?? STEP_DEFAULTS.timeout }),
    retry: { attempts: retry.attempts ?? STEP_DEFAULTS.attempts, ...waits },
    inDoubt: inDoubt ?? STEP_DEFAULTS.inDoubt,
  };
}

interface Place {
  saga: string;
  name?: string;
}

/** The one duration given, in milliseconds. */
function span(at: Place, given: Record<string, string>): number {
  const [[what, text] = []] = Object.entries(given);
  const ms = acceptSpan(text);
  if (ms !== undefined) return ms;
  return refuse(at, `expected \`${what}\` to be a duration such as 250ms, 5s, 2m or 1h, got "${text}"`);
}

function refuse({ saga: of, name }: Place, message: string): never {
  const where = name === undefined ? `the saga "${of}"` : `"${name}" of the saga "${of}"`;
  throw new UsageError(`cannot define ${where}: ${message}`);
}
