// Calls of a saga whose steps are elsewhere, over HTTP (CONTRACT section 7): what is sent, and what an answer means. It never follows a
// redirect, reads no more of an answer than it may, and opens no connection itself: `fetch` is handed in.
import type { Json } from "../core/json.ts";
import type { Failure } from "../core/saga-event.ts";
import type { Result } from "../core/saga-outcome.ts";
import { causesOf, messageOf, neverConnected } from "../errors.ts";
import type { CallContext, Caller } from "./calls.ts";
import { traceparentOf } from "./ids.ts";
import { frozen } from "./stored-json.ts";

export interface HttpCall {
  /** `http://…`, `https://…`, or what else the `fetch` handed in takes. */
  url: string;
  method: string;
  headers: Readonly<Record<string, string>>;
}

export interface StepHttpCalls {
  execute: HttpCall;
  compensate?: HttpCall;
  verify?: HttpCall;
}

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export interface HttpCallerOptions {
  fetch: Fetch;
  /** Of an answer's body. */
  bodyBytesMax: number;
}

/** By the name of the step. */
export function httpCaller(
  calls: ReadonlyMap<string, StepHttpCalls>,
  { fetch, bodyBytesMax }: HttpCallerOptions,
): Caller {
  return async (context) => {
    const { step, direction } = context.call;
    const call = calls.get(step)?.[direction];
    if (!call) throw new Error(`internal: the step "${step}" has no URL to ${direction}`);
    let response: Response;
    try {
      response = await fetch(call.url, requestOf(call, context));
    } catch (error) {
      return unanswered(error);
    }
    try {
      return await resultOf(response, { direction, bodyBytesMax });
    } catch (error) {
      return {
        type: "unknown",
        error: { message: `its answer was cut: ${messageOf(error)}`, reason: "cut" },
      };
    }
  };
}

function requestOf({ method, headers }: HttpCall, context: CallContext): RequestInit {
  const { call, intent, execution, saga, payload, outputs, output, key, signal } = context;
  const { step, direction, attempt } = call;
  const body = { intent, execution, saga, step, direction, attempt, payload, outputs: outputs() };
  const hasBody = method !== "GET" && method !== "HEAD";
  return {
    method,
    redirect: "manual",
    signal,
    headers: {
      accept: "application/json",
      ...headers,
      ...(hasBody && { "content-type": "application/json" }),
      "idempotency-key": key,
      "haraka-execution": execution,
      "haraka-step": step,
      "haraka-direction": direction,
      traceparent: traceparentOf(execution),
    },
    ...(hasBody && { body: JSON.stringify(output === undefined ? body : { ...body, output }) }),
  };
}

function unanswered(error: unknown): Result {
  const message = messageOf(causesOf(error).at(-1) ?? error);
  return neverConnected(error)
    ? { type: "notDone", error: { message, reason: "refused" } }
    : { type: "unknown", error: { message, reason: "cut" } };
}

interface Reading {
  direction: "execute" | "compensate" | "verify";
  bodyBytesMax: number;
}

async function resultOf(response: Response, { direction, bodyBytesMax }: Reading): Promise<Result> {
  const { status, ok } = response;
  const body = await textOf(response, bodyBytesMax);
  const error: Failure = { message: `it has answered ${status}`, reason: "status", status };
  if (ok) return doneBy(body, bodyBytesMax);
  if (direction === "verify") return status === 404 ? { type: "absent" } : { type: "unknown", error };
  if (status === 425 || status === 429) return { type: "notDone", error };
  if (status >= 400 && status < 500 && status !== 408) return { type: "failed", error };
  if (status >= 300 && status < 400) return redirected(error, response.headers.get("location"));
  return { type: "unknown", error };
}

/**
 * 307 and 308 say that the same request is to be sent elsewhere: nothing has come of it here, and nothing will by asking again. Any other
 * redirect is also how some say that it is done (303 after a POST).
 */
function redirected(error: Failure, location: string | null): Result {
  const target = location === null ? "" : ` to "${location}"`;
  const message = `${error.message}${target}, and redirects are not followed; give the step that URL`;
  const isElsewhere = error.status === 307 || error.status === 308;
  return { type: isElsewhere ? "failed" : "unknown", error: { ...error, message } };
}

/** It is done for certain, but without what it gave nobody can go on; `undefined`: the body is too large. */
function doneBy(body: string | undefined, bodyBytesMax: number): Result {
  if (body === undefined) {
    const message = `its answer has more than ${bodyBytesMax} bytes`;
    return { type: "unknown", error: { message, reason: "output" } };
  }
  let output: Json;
  try {
    output = JSON.parse(body) as Json;
  } catch {
    return { type: "done" };
  }
  try {
    return { type: "done", output: frozen(output) };
  } catch (error) {
    return {
      type: "unknown",
      error: { message: `its answer cannot be kept: ${messageOf(error)}`, reason: "output" },
    };
  }
}

/** `undefined` if it is larger. Reads nothing beyond. */
async function textOf({ body }: Response, bytesMax: number): Promise<string | undefined> {
  if (!body) return "";
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  for (let bytes = 0; ;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    bytes += value.byteLength;
    if (bytes > bytesMax) {
      await reader.cancel();
      return undefined;
    }
    text += decoder.decode(value, { stream: true });
  }
}
