// Calls into functions of this process: those behind the steps of a saga, and handlers of intents. What comes of a call is told as the
// machine understands it; a call never rejects, and one whose time is over is `unknown` whether or not its function stops.
import type { Json } from "../core/json.ts";
import { type Call, type Result } from "../core/saga-outcome.ts";
import { messageOf } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";
import { Retry, type StepFunctions } from "./saga-builder.ts";
import { storedJson } from "./stored-json.ts";
import type { WakeQueue } from "./wake-queue.ts";

/** Whom a call concerns. */
export interface CallContext {
  call: Call;
  /** The type of the intent. */
  intent: string;
  session: string;
  execution: string;
  saga: string;
  /** The `Idempotency-Key`. */
  key: string;
  payload: Json;
  /** What the schema of the intent makes of the payload; rejects when it refuses it by now. */
  input: () => Promise<unknown>;
  outputs: () => Record<string, Json>;
  /** What the step itself has given, when it is to be undone. */
  output: Json | undefined;
  /** Nobody needs it any more, or its time is over. */
  signal: AbortSignal;
}

export type Caller = (context: CallContext) => Promise<Result>;

interface InTime {
  make: Caller;
  clock: Pick<Clock, "now">;
  deadlines: Deadlines;
  controller: AbortController;
}

/** What happens to calls whose time is over, by the monotonic clock. */
export type Deadlines = WakeQueue<() => void>;

/** Makes the call within its time. The controller is the caller's, to abort it before. */
export function callInTime(
  context: CallContext,
  { make, clock, deadlines, controller }: InTime,
): Promise<Result> {
  const { timeoutMs } = context.call;
  const making = make(context);
  if (timeoutMs === Infinity) return making;
  return new Promise((resolve, reject) => {
    const expire = (): void => {
      const error = { message: `it has taken longer than ${timeoutMs} ms`, reason: "timeout" };
      resolve({ type: "unknown", error });
      controller.abort(new DOMException(error.message, "TimeoutError"));
    };
    deadlines.set(expire, clock.now() + timeoutMs);
    making.finally(() => deadlines.set(expire, undefined)).then(resolve, reject);
  });
}

export interface FunctionLimits {
  /** Of what a function gives, as JSON. */
  bodyBytesMax: number;
}

/** Of a saga written in TypeScript. */
export function functionCaller(
  functions: ReadonlyMap<string, StepFunctions>,
  { bodyBytesMax }: FunctionLimits,
): Caller {
  return async (context) => {
    const { call, signal } = context;
    try {
      const input = await context.input();
      const result = await callStep(functions, { context, input });
      return call.direction === "verify" && result === undefined
        ? { type: "absent" }
        : done(result, bodyBytesMax);
    } catch (error) {
      return failure(error, signal);
    }
  };
}

function callStep(
  functions: ReadonlyMap<string, StepFunctions>,
  { context, input }: { context: CallContext; input: unknown },
): unknown {
  const { call, output, key, execution, saga, signal } = context;
  const step = functions.get(call.step);
  const run = step?.[call.direction];
  if (!run) throw new Error(`internal: the step "${call.step}" has nothing to ${call.direction}`);
  return run.call(step, {
    input,
    // Most steps look at no other.
    get outputs() {
      return context.outputs();
    },
    output,
    key,
    attempt: call.attempt,
    execution,
    saga,
    signal,
  });
}

/** It did have its effect; when what it gave cannot be kept, nobody who comes after knows what that was. */
function done(value: unknown, bytesMax: number): Result {
  try {
    const output = storedJson(value, { bytesMax });
    return output === undefined ? { type: "done" } : { type: "done", output };
  } catch (error) {
    return {
      type: "unknown",
      error: { message: `what it gave cannot be kept: ${told(error)}`, reason: "output" },
    };
  }
}

/** What an error says is kept for good, and some say all they know. */
const MESSAGE_MAX = 4096;

function told(error: unknown): string {
  const message = messageOf(error);
  return message.length > MESSAGE_MAX ? `${message.slice(0, MESSAGE_MAX).toWellFormed()}…` : message;
}

function failure(error: unknown, signal: AbortSignal): Result {
  const message = told(error);
  if (error instanceof Retry || isNamed(error, "Retry"))
    return { type: "notDone", error: { message, reason: "retry" } };
  if (signal.aborted) return { type: "unknown", error: { message, reason: "aborted" } };
  return { type: "failed", error: { message, reason: "thrown" } };
}

/** One that comes from another copy of this module, as in an entrypoint that was bundled. */
const isNamed = (error: unknown, name: string): boolean => error instanceof Error && error.name === name;

export interface HandlerContext<Input> {
  input: Input;
  session: string;
  execution: string;
  /** Aborts when it is cancelled, or when the time of a shutdown is over. */
  signal: AbortSignal;
}

export type FunctionHandler<Input> = (context: HandlerContext<Input>) => unknown;

/** Of an intent that one function carries out. */
export function handlerCaller(handler: FunctionHandler<unknown>, { bodyBytesMax }: FunctionLimits): Caller {
  return async ({ input, session, execution, signal }) => {
    try {
      const given = await handler({ input: await input(), session, execution, signal });
      const result = done(given, bodyBytesMax);
      return result.type === "unknown" ? { type: "failed", error: result.error } : result;
    } catch (error) {
      return { type: "failed", error: { message: told(error), reason: "thrown" } };
    }
  };
}
