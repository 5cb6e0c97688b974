// The plane's HTTP API without a socket, in front of a plane in memory: asked as by a program on this machine, unless a test says
// otherwise.
import assert from "node:assert/strict";
import { testClock } from "../../src/compose/testing.ts";
import { RuntimeRegistry } from "../../src/discovery/registry.ts";
import { createPlaneApi, type PlaneApiOptions } from "../../src/http/plane-api.ts";
import { PLANE_LIMITS } from "../../src/http/plane-limits.ts";
import type { Operation } from "../../src/http/plane-operation.ts";
import { operationsOf } from "../../src/http/plane-operations.ts";
import { problemBody } from "../../src/http/plane-views.ts";
import { fakePlane } from "../fakes/plane.ts";
import { silentLog } from "./silent-log.ts";

/** What Deno's server would say about a peer. */
export const peer = (hostname: string) => ({ remoteAddr: { hostname } });
export const LOCAL = peer("127.0.0.1");

export interface Ask extends Omit<RequestInit, "body"> {
  /** Sent as JSON. */
  json?: unknown;
  body?: BodyInit;
  env?: object;
  headers?: Record<string, string>;
}

export type Answered = { status: number; headers: Headers; text: string; body: any };

export function planeRig(options: Partial<PlaneApiOptions> = {}) {
  const plane = fakePlane();
  const clock = testClock();
  const registry = new RuntimeRegistry({ clock, random: () => 0 });
  const ending = new AbortController();
  const errors: string[] = [];
  const app = createPlaneApi({
    plane: () => plane,
    registry,
    limits: PLANE_LIMITS,
    clock,
    ending: ending.signal,
    log: { ...silentLog, error: (message) => void errors.push(message) },
    ...options,
  });
  /** Of `GET /wal`, `PUT /state/a/b`, … */
  const request = async (
    line: string,
    { json, env = LOCAL, headers, ...init }: Ask = {},
  ): Promise<Response> => {
    const [method = "", path = ""] = line.split(" ");
    const all = {
      host: "localhost:8080",
      ...(json !== undefined && { "content-type": "application/json" }),
      ...headers,
    };
    const body = json === undefined ? {} : { body: JSON.stringify(json) };
    return app.fetch(
      new Request(`http://localhost:8080/api/v1${path}`, { method, headers: all, ...body, ...init }),
      env,
    );
  };
  const ask = async (line: string, options?: Ask): Promise<Answered> => {
    const response = await request(line, options);
    const text = await response.text();
    const isJson = response.headers.get("content-type")?.includes("json") === true;
    const answered = {
      status: response.status,
      headers: response.headers,
      text,
      body: isJson && text !== "" ? JSON.parse(text) : undefined,
    };
    holdToSchema(line, answered);
    return answered;
  };
  /** A new session of `user`. */
  const session = async (user = "ann", options?: Ask) =>
    (await ask("POST /sessions", { json: { user }, ...options })).body as { id: string; token: string };
  /** A new execution in a new session. */
  const execution = async (options?: Ask) => {
    const json = { type: "order.place", session: (await session("ann", options)).id, payload: { sku: "x" } };
    return (await ask("POST /intents", { json, ...options })).body as { id: string; session: string };
  };
  return { app, plane, registry, clock, ending, errors, request, ask, session, execution };
}

const OPERATIONS = operationsOf(PLANE_LIMITS).map((operation) => ({
  operation,
  line: new RegExp(`^${operation.method} ${operation.path.replace(/\{\w+\}/g, "[^/?]+")}(\\?|$)`),
}));

/** What the OpenAPI document says that this line is answered with. */
function operationOf(line: string): Operation | undefined {
  return OPERATIONS.find((each) => each.line.test(line))?.operation;
}

/** Every answer of every test is what the document says. */
function holdToSchema(line: string, { status, body }: Answered): void {
  if (body === undefined) return;
  const answers = operationOf(line)?.answers as Record<number, unknown> | undefined;
  const schema = status < 400 ? answers?.[status] : problemBody;
  assert.ok(schema, `${line} may not be answered with ${status}`);
  const { error } = (schema as typeof problemBody).safeParse(body);
  assert.equal(error, undefined, `${line}: ${JSON.stringify(error?.issues)}`);
}

/** What comes over a stream, event by event. */
export function eventsOf(response: Response) {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  /** Resolves with the next block between two empty lines, `undefined` at the end. */
  const block = async (): Promise<string | undefined> => {
    while (!text.includes("\n\n")) {
      const { value, done } = await reader.read();
      if (done) return undefined;
      text += value;
    }
    const [first = ""] = text.split("\n\n", 1);
    text = text.slice(first.length + 2);
    return first;
  };
  return {
    block,
    cancel: () => reader.cancel(),
    /** The next event; comments and `retry:` alone are passed over. */
    async next(): Promise<{ id?: number; event?: string; data: any } | undefined> {
      for (;;) {
        const lines = await block();
        if (lines === undefined) return undefined;
        const fields = Object.fromEntries(
          lines
            .split("\n")
            .map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]),
        );
        if (fields.data === undefined) continue;
        return {
          ...(fields.id !== undefined && { id: Number(fields.id) }),
          ...(fields.event !== undefined && { event: fields.event }),
          data: JSON.parse(fields.data),
        };
      }
    },
  };
}
