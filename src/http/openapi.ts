// The OpenAPI 3.1 document of the plane's HTTP API, made of its operations and their schemas: what is checked is what it says. It
// is made when somebody first asks for it.
import { about, answers, bodyNames, type Schema, z } from "./plane-schema-kit.ts";
import type { PlaneLimits } from "./plane-limits.ts";
import { type Operation, TAGS } from "./plane-operation.ts";
import { operationsOf } from "./plane-operations.ts";
import { problemBody, session, sessionWithToken, stateEntry } from "./plane-views.ts";

export interface OpenApiOptions {
  /** Of the runtime. */
  name: string;
  version: string;
  limits: PlaneLimits;
  /** Whether `plane.auth` is set. */
  hasAuth: boolean;
}

/** As far as the docs page looks into it. */
export interface OpenApiDocument {
  openapi: string;
  info: { title: string; version: string; description: string };
  tags: { name: string; description: string }[];
  paths: Record<string, Record<string, OpenApiOperation>>;
  components: { schemas: Record<string, JsonSchema>; [kind: string]: unknown };
  [key: string]: unknown;
}

export interface OpenApiOperation {
  operationId: string;
  tags: string[];
  summary: string;
  description?: string;
  parameters: Parameter[];
  requestBody?: { required: boolean; content: Record<string, { schema: JsonSchema }> };
  responses: Record<string, OpenApiResponse>;
  security?: unknown;
}

export interface Parameter {
  name: string;
  in: "path" | "query" | "header";
  required: boolean;
  description?: string;
  schema: JsonSchema;
}

interface OpenApiResponse {
  description: string;
  headers?: object;
  content?: Record<string, { schema: JsonSchema }>;
}

export type JsonSchema = { readonly [keyword: string]: unknown };

export function openApi({ name, version, limits, hasAuth }: OpenApiOptions): OpenApiDocument {
  const operations = operationsOf(limits);
  const paths: OpenApiDocument["paths"] = {};
  for (const operation of operations) {
    (paths[`/api/v1${operation.path}`] ??= {})[operation.method.toLowerCase()] = operationOf(
      operation,
      hasAuth,
    );
  }
  return {
    openapi: "3.1.1",
    info: { title: `${name}: runtime plane`, version, description: ABOUT },
    jsonSchemaDialect: "https://json-schema.org/draft/2020-12/schema",
    tags: Object.entries(TAGS).map(([tag, description]) => ({ name: tag, description })),
    paths,
    components: {
      schemas: schemasOf(operations),
      securitySchemes: {
        bearer: {
          type: "http",
          scheme: "bearer",
          description: "A token of `plane.auth`, or a process's own.",
        },
        session: { type: "apiKey", in: "header", name: "Haraka-Session", description: "A session's token." },
      },
    },
  };
}

const ABOUT = [
  "Sessions, state, the write-ahead log, intents and executions of one tenant, which the credential tells.",
  "Times are ISO 8601. Problems are RFC 9457. A list is `{items, cursor}`, and a live tail under",
  "`Accept: text/event-stream`, where the id of each event is its sequence number.",
].join(" ");

function schemasOf(operations: readonly Operation[]): Record<string, JsonSchema> {
  const bodies = z.registry<{ id: string }>();
  for (const { body } of operations) {
    const id = body && bodyNames.get(body);
    if (body && id !== undefined) bodies.add(body, { id });
  }
  const shared = { uri: refTo, metadata: about, unrepresentable: "any" } as const;
  const all = {
    ...z.toJSONSchema(bodies, { ...shared, io: "input" }).schemas,
    ...z.toJSONSchema(answers, { ...shared, io: "output" }).schemas,
  };
  // They are part of a document that says what they are.
  return Object.fromEntries(
    Object.entries(all).map(([id, { $schema: _dialect, $id: _uri, ...schema }]) => [id, bounded(schema)]),
  );
}

/** Without the bounds that every number of ours has. */
function bounded(schema: unknown): JsonSchema {
  return JSON.parse(JSON.stringify(schema), (_key, value: unknown) =>
    Math.abs(Number(value)) === Number.MAX_SAFE_INTEGER ? undefined : value,
  ) as JsonSchema;
}

function refTo(id: string): string {
  return `#/components/schemas/${id}`;
}

function answerSchema(schema: Schema): JsonSchema {
  return { $ref: refTo(answers.get(schema)?.id ?? "Problem") };
}

function operationOf(operation: Operation, hasAuth: boolean): OpenApiOperation {
  const { id, tag, summary, description, body, bySession } = operation;
  const bodyName = body && bodyNames.get(body);
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description !== undefined && { description }),
    parameters: parametersOf(operation, hasAuth),
    ...(bodyName !== undefined && {
      requestBody: { required: true, content: { "application/json": { schema: { $ref: refTo(bodyName) } } } },
    }),
    responses: responsesOf(operation),
    security: [...(hasAuth ? [] : [{}]), { bearer: [] }, ...(bySession ? [{ session: [] }] : [])],
  };
}

const HEADERS: Readonly<Record<string, string>> = {
  "If-Match": 'The version that it must have, in quotes, such as "3"; `*`: any.',
  "If-None-Match": "`*`: there must be none. Of a GET: the version that is known already, in quotes.",
  "Idempotency-Key": "Of the sender's choice; the same for every attempt.",
  "Haraka-Tenant": "Which tenant. Default: `default`. Only where no credential tells.",
  "Last-Event-ID": "As a stream: the last event that was seen.",
};

function parametersOf({ path, query, headers = [], stream }: Operation, hasAuth: boolean): Parameter[] {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]): Parameter => ({
    name,
    in: "path",
    required: true,
    schema: TEXT,
  }));
  const names = [...headers, ...(stream ? ["Last-Event-ID"] : []), ...(hasAuth ? [] : ["Haraka-Tenant"])];
  const inHeader = names.map((name): Parameter => {
    const description = HEADERS[name] ?? "";
    return { name, in: "header", required: false, description, schema: TEXT };
  });
  return [...inPath, ...(query ? queryParameters(query) : []), ...inHeader];
}

function queryParameters(query: Schema): Parameter[] {
  const { properties = {} } = z.toJSONSchema(query, { io: "input", metadata: about, unrepresentable: "any" });
  return Object.entries(properties).map(([name, property]): Parameter => {
    const { description, ...schema } = bounded(property) as JsonSchema & { description?: string };
    return {
      name,
      in: "query",
      required: false,
      ...(description !== undefined && { description }),
      schema,
      ...(schema.type === "array" && { explode: false }),
    };
  });
}

const MEANINGS: Readonly<Record<number, string>> = {
  200: "Done.",
  201: "There is a new one.",
  202: "It is on its way.",
  204: "Done; there is nothing to say.",
  304: "It is the version that is known.",
  400: "The body is no JSON.",
  401: "Nobody may without a credential.",
  403: "This credential does not allow it.",
  404: "It is not there, or not for this tenant.",
  409: "Its state does not allow it.",
  410: "What comes next is no longer kept.",
  412: "It has another version.",
  413: "The body is too large.",
  415: "The body is of another type.",
  422: "What was sent is wrong: `errors` says what.",
  503: "The store or the runtime is not available; try again after `Retry-After`.",
};

const TEXT = { type: "string" };
const TAGGED: ReadonlySet<Schema> = new Set<Schema>([session, sessionWithToken, stateEntry]);

function responsesOf({
  answers: good,
  problems = [],
  body,
  stream,
}: Operation): Record<string, OpenApiResponse> {
  const fine = Object.entries(good).map(([status, schema]) => {
    const content = schema && {
      "application/json": { schema: answerSchema(schema) },
      ...(stream && status === "200" && { "text/event-stream": { schema: answerSchema(stream.schema) } }),
    };
    const headers = schema && TAGGED.has(schema) && { ETag: { description: "Its version.", schema: TEXT } };
    const description = MEANINGS[Number(status)] ?? "";
    return [status, { description, ...(headers && { headers }), ...(content && { content }) }] as const;
  });
  const bad = [401, 403, ...problems, ...(body ? [400, 413, 415] : []), 422, 503].map((status) => {
    const content = { "application/problem+json": { schema: answerSchema(problemBody) } };
    return [String(status), { description: MEANINGS[status] ?? "", content }] as const;
  });
  return Object.fromEntries([...fine, ...bad]);
}
