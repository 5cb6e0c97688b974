// The types of intents there are and what carries each out: a function, a saga of functions, or a saga of HTTP calls. A saga that was
// changed stays beside its newer version, so that what it began comes to its end by it. It runs nothing.
import { canonicalText } from "../core/saga-definition.ts";
import { type SagaDefinition, sagaProblems } from "../config/saga-definition.ts";
import { UsageError } from "../errors.ts";
import type { Inside } from "../ports/service.ts";
import { type Caller, type FunctionHandler, functionCaller, handlerCaller } from "./calls.ts";
import { functionMachine } from "./function-machine.ts";
import { type Fetch, httpCaller, type StepHttpCalls } from "./http-calls.ts";
import { type AnyMachine, sagaMachine } from "./machine.ts";
import {
  anything,
  type Check,
  checkByJsonSchema,
  checkByStandard,
  type StandardSchema,
} from "./payload-check.ts";
import type { Saga } from "./saga-builder.ts";

/** What carries out the intents of a type, in one version of it. */
export interface Handler {
  type: string;
  /** Says which: a hash for a saga, the type for a function. */
  definition: string;
  machine: AnyMachine;
  check: Check;
  /** Of the payloads of signals, by name. */
  signals: ReadonlyMap<string, Check>;
  call: Caller;
}

/** A saga by HTTP calls, as a config has it. */
export interface HttpIntent {
  definition: SagaDefinition;
  calls: ReadonlyMap<string, StepHttpCalls>;
}

export interface IntentsOptions {
  /** In hexadecimal digits. */
  sha256: (text: string) => string;
  fetch: Fetch;
  /** Of the answer to a call, and of what a function gives. */
  bodyBytesMax: number;
}

/** How the functions are called; absent: as they are. */
interface Calling {
  inside?: Inside | undefined;
}

const TYPE = /^[A-Za-z][\w.-]{0,127}$/;

export class IntentRegistry {
  readonly #options: IntentsOptions;
  readonly #current = new Map<string, Handler>();
  readonly #byDefinition = new Map<string, Handler>();
  readonly #listeners = new Set<(handler: Handler) => void>();

  constructor(options: IntentsOptions) {
    this.#options = options;
  }

  /** The newest of its type. */
  ofType(type: string): Handler | undefined {
    return this.#current.get(type);
  }

  ofDefinition(definition: string): Handler | undefined {
    return this.#byDefinition.get(definition);
  }

  get types(): readonly string[] {
    return [...this.#current.keys()].toSorted();
  }

  get definitions(): readonly string[] {
    return [...this.#byDefinition.keys()];
  }

  /** Returns a function that ends it. */
  onRegistered(listener: (handler: Handler) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** A function that carries it out. Registered anew it takes the place of the one before. */
  register<Input = unknown>(
    type: string,
    { input, inside }: { input?: StandardSchema<Input> | undefined } & Calling,
    handler: FunctionHandler<Input>,
  ): void {
    if (!TYPE.test(type)) {
      throw new UsageError(
        `cannot register the intent "${type}": a type starts with a letter and has up to 128 letters, digits, \`.\`, \`_\` and \`-\``,
      );
    }
    this.#add({
      type,
      definition: functionDefinition(type),
      machine: functionMachine({ type, isKnown: true }) as AnyMachine,
      check: input ? checkByStandard(input) : anything,
      signals: new Map(),
      call: calledBy(inside, handlerCaller(handler as FunctionHandler<unknown>, this.#options)),
    });
  }

  /** A saga written in TypeScript. */
  registerSaga<Input, Outputs>(
    { definition, input, functions, signals }: Saga<Input, Outputs>,
    { inside }: Calling = {},
  ): void {
    const check = input ? checkByStandard(input as StandardSchema) : anything;
    const ofSignals = [...signals].map(
      ([name, schema]) => [name, checkByStandard(schema as StandardSchema)] as const,
    );
    const call = calledBy(inside, functionCaller(functions, this.#options));
    this.#addSaga(definition, { check, signals: new Map(ofSignals), call });
  }

  /** A saga of a config. */
  registerHttp({ definition, calls }: HttpIntent): void {
    const { input } = definition;
    const check = typeof input === "object" && input !== null ? checkByJsonSchema(input) : anything;
    this.#addSaga(definition, { check, signals: new Map(), call: httpCaller(calls, this.#options) });
  }

  #addSaga(definition: SagaDefinition, parts: Pick<Handler, "check" | "signals" | "call">): void {
    const problems = sagaProblems(definition).map(({ message }) => message);
    if (problems.length > 0) {
      throw new UsageError(`cannot register the saga "${definition.name}": ${problems.join("; ")}`);
    }
    const type = definition.name;
    const hash = this.#options.sha256(canonicalText(definition));
    const machine = sagaMachine({ definition, hash, type }) as AnyMachine;
    this.#add({ type, definition: hash, machine, ...parts });
  }

  #add(handler: Handler): void {
    this.#current.set(handler.type, handler);
    this.#byDefinition.set(handler.definition, handler);
    for (const listener of this.#listeners) listener(handler);
  }
}

function calledBy(inside: Inside | undefined, call: Caller): Caller {
  return inside ? (context) => inside(() => call(context)) : call;
}

const FUNCTION = "function/";

/** What stands for the definition of a function: nothing of it is pinned but its type. */
function functionDefinition(type: string): string {
  return FUNCTION + type;
}

/** Of a definition that nobody here knows. */
export function unknownMachine({ type, definition }: { type: string; definition: string }): AnyMachine {
  return definition.startsWith(FUNCTION)
    ? (functionMachine({ type, isKnown: false }) as AnyMachine)
    : (sagaMachine({ hash: definition, type }) as AnyMachine);
}

export const isFunction = (definition: string): boolean => definition.startsWith(FUNCTION);
