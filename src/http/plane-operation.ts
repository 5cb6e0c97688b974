// One operation of the plane's HTTP API: what it takes, what it answers, who may, and the function that does it. The routes, the
// checks and the OpenAPI document are all made of these; an operation itself never looks at the request.
import type { TenantPlane } from "../ports/plane.ts";
import type { RegistryReader } from "../ports/registry.ts";
import type { Asker } from "./asker.ts";
import type { Condition } from "./plane-conditions.ts";
import type { Schema, z } from "./plane-schema-kit.ts";
import type { Events } from "./plane-tail.ts";

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

export const TAGS = {
  sessions: "Who a request acts for.",
  intents: "Typed requests to do something.",
  executions: "What became of them.",
  state: "Versioned values by namespace and key.",
  wal: "The log of everything that was decided.",
  registry: "Who is where.",
} as const;

/** What an operation is handed. */
export interface Call<Query = unknown, Body = unknown> {
  plane: TenantPlane;
  registry: RegistryReader;
  asker: Asker;
  /** From the path. */
  params: Readonly<Record<string, string>>;
  query: Query;
  body: Body;
  /** From If-Match and If-None-Match. */
  condition: Condition;
  /** `If-None-Match` of a GET holds for this version. */
  isKnown(version: number): boolean;
  idempotencyKey?: string;
  /** Aborts when a waiting request should be answered: the drain, or nobody is there any more. */
  ending: AbortSignal;
}

export interface Answer {
  status: 200 | 201 | 202 | 204 | 304;
  content?: object;
  /** For the `ETag`. */
  version?: number;
  /** Below `/api/v1`. */
  location?: string;
}

export interface Definition<Query extends Schema, Body extends Schema> {
  /** Also the name of a function in generated clients. */
  id: string;
  tag: keyof typeof TAGS;
  method: Method;
  /** Below `/api/v1`, with `{parameters}`: `id` is of something that is there or not, any other is a name that may be wrong. */
  path: string;
  summary: string;
  description?: string;
  query?: Query;
  body?: Body;
  /** Headers that it looks at. */
  headers?: readonly ("If-Match" | "If-None-Match" | "Idempotency-Key")[];
  answers: Readonly<Partial<Record<Answer["status"], Schema | null>>>;
  /** The statuses of its problems, beyond those that every operation has. */
  problems?: readonly (404 | 409 | 410 | 412)[];
  /** A role without which nobody may. */
  role?: "operator";
  /** Who has a session's token may. */
  bySession?: boolean;
  /** The request may be left waiting. */
  waits?: boolean;
  /** What is sent under `Accept: text/event-stream`, and how. */
  stream?: { schema: Schema; open: (call: Call<z.output<Query>>) => Promise<Events> };
  handle: (call: Call<z.output<Query>, z.output<Body>>) => Promise<Answer>;
}

export type Operation = Definition<Schema, Schema>;

export function operation<Query extends Schema, Body extends Schema>(
  definition: Definition<Query, Body>,
): Operation {
  return definition as unknown as Operation;
}
