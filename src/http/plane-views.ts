// How the plane's things look to outsiders: the schema of each answer, which OpenAPI shows, and beside it the function that makes
// it of what the port gives. Pure; times become ISO 8601.
import type {
  Execution,
  ExecutionState,
  Session,
  SessionState,
  StateChange,
  StateEntry,
} from "../ports/plane.ts";
import type { InstanceState, RegistryEntry } from "../ports/registry.ts";
import { type LogRecord, type Page, WAL_TYPES } from "../ports/store.ts";
import { about, answered, described, object, optional, type Schema, z } from "./plane-schema-kit.ts";

const isoTime = (ms: number): string => new Date(ms).toISOString();

const time = (description: string) => {
  const schema = described(z.string(), description);
  about.add(schema, { description, format: "date-time" });
  return schema;
};
const text = (description: string) => described(z.string(), description);
const count = (description: string) => described(z.int(), description);

const SESSION_STATES = ["active", "closed", "expired", "revoked"] as const satisfies readonly SessionState[];

export const EXECUTION_STATES = [
  "pending",
  "running",
  "completed",
  "compensating",
  "compensated",
  "failed",
  "parked",
  "cancelled",
] as const satisfies readonly ExecutionState[];

const sessionShape = {
  id: text("`session_…`; names the session and is no secret."),
  tenant: text("Whose it is."),
  user: text("Who it is for."),
  context: described(object(), "What is kept with it."),
  state: z.enum(SESSION_STATES),
  version: count("Raised by one with every change; also the ETag."),
  createdAt: time("When it was created."),
  updatedAt: time("When it was changed last."),
  expiresAt: time("When it expires unless it is used before."),
};

export const session = answered("Session", z.strictObject(sessionShape));

export const sessionWithToken = answered(
  "SessionWithToken",
  z.strictObject({
    ...sessionShape,
    token: text("For `Haraka-Session`. Told here only: a hash of it is kept."),
  }),
);

export const sessionChange = answered(
  "SessionChange",
  z.union([session, z.strictObject({ id: z.string(), state: z.enum(["closed", "expired", "revoked"]) })]),
);

export function sessionView({
  createdAtMs,
  updatedAtMs,
  expiresAtMs,
  ...rest
}: Session & { token?: string }) {
  const { id, token, tenant, user, context, state, version } = rest;
  return {
    id,
    ...(token !== undefined && { token }),
    tenant,
    user,
    context,
    state,
    version,
    createdAt: isoTime(createdAtMs),
    updatedAt: isoTime(updatedAtMs),
    expiresAt: isoTime(expiresAtMs),
  };
}

const executionError = answered(
  "ExecutionError",
  z.strictObject({
    message: z.string(),
    reason: optional(z.string(), "`interrupted`: the process that ran it has died."),
  }),
);

const step = answered(
  "Step",
  z.strictObject({
    name: z.string(),
    state: text("As an execution's, or `in_doubt`, or `skipped`."),
    attempts: z.int(),
    output: optional(z.unknown(), "What it gave."),
    error: optional(executionError, "Why it failed."),
  }),
);

export const execution = answered(
  "Execution",
  z.strictObject({
    id: text("`execution_…`."),
    type: text("Of the intent."),
    tenant: z.string(),
    session: text("The id of the session that it was submitted in."),
    state: z.enum(EXECUTION_STATES),
    payload: z.unknown(),
    result: optional(z.unknown(), "Once it is completed."),
    error: optional(executionError, "Once it has failed, was compensated or is parked."),
    saga: optional(
      z.strictObject({ id: z.string(), definition: z.string(), steps: z.array(step) }),
      "Where the handler is a saga.",
    ),
    createdAt: time("When it was submitted."),
    updatedAt: time("When anything about it was decided last."),
  }),
);

export function executionView({ createdAtMs, updatedAtMs, ...rest }: Execution) {
  const { id, type, tenant, session, state, payload, result, error, saga } = rest;
  return {
    id,
    type,
    tenant,
    session,
    state,
    payload,
    ...(result !== undefined && { result }),
    ...(error && { error: errorView(error) }),
    ...(saga && { saga: sagaView(saga) }),
    createdAt: isoTime(createdAtMs),
    updatedAt: isoTime(updatedAtMs),
  };
}

function errorView({ message, reason }: NonNullable<Execution["error"]>) {
  return { message, ...(reason !== undefined && { reason }) };
}

function sagaView({ id, definition, steps }: NonNullable<Execution["saga"]>) {
  const stepView = ({ name, state, attempts, output, error }: (typeof steps)[number]) => ({
    name,
    state,
    attempts,
    ...(output !== undefined && { output }),
    ...(error && { error: errorView(error) }),
  });
  return { id, definition, steps: steps.map(stepView) };
}

export const stateEntry = answered(
  "StateEntry",
  z.strictObject({
    namespace: z.string(),
    key: z.string(),
    value: z.unknown(),
    version: count("Raised by one with every write; also the ETag."),
    expiresAt: z.exactOptional(time("From then on it is gone.")),
  }),
);

export function entryView({ namespace, key, value, version, expiresAtMs }: StateEntry) {
  return {
    namespace,
    key,
    value,
    version,
    ...(expiresAtMs !== undefined && { expiresAt: isoTime(expiresAtMs) }),
  };
}

export const stateChange = answered(
  "StateChange",
  z.strictObject({
    seq: count("Of the record in the log."),
    namespace: z.string(),
    key: z.string(),
    type: z.enum(["written", "deleted", "expired"]),
    value: optional(z.unknown(), "What was written."),
    version: z.int(),
  }),
);

export function changeView({ seq, key, type, value, version }: StateChange, namespace: string) {
  return { seq, namespace, key, type, ...(value !== undefined && { value }), version };
}

export const walRecord = answered(
  "WalRecord",
  z.strictObject({
    seq: count("Counts from 1 for each tenant, without gaps."),
    id: text("`event_…`."),
    type: z.enum(WAL_TYPES),
    tenant: z.string(),
    time: time("When it was appended, by the store's clock."),
    session: z.exactOptional(z.string()),
    execution: z.exactOptional(z.string()),
    saga: z.exactOptional(z.string()),
    step: z.exactOptional(z.string()),
    payload: z.unknown(),
  }),
);

export function recordView({ seq, id, type, tenant, timeMs, ...rest }: LogRecord) {
  const { session, execution, saga, step, payload } = rest;
  return {
    seq,
    id,
    type,
    tenant,
    time: isoTime(timeMs),
    ...(session !== undefined && { session }),
    ...(execution !== undefined && { execution }),
    ...(saga !== undefined && { saga }),
    ...(step !== undefined && { step }),
    payload,
  };
}

const INSTANCE_STATES = ["starting", "ready", "draining"] as const satisfies readonly InstanceState[];

const instance = answered(
  "Instance",
  z.strictObject({
    id: text("`instance_…`."),
    service: text("Its key in the config: what replicas have in common."),
    address: text("A name or an address, an IPv6 one without brackets."),
    port: z.int(),
    tags: z.array(z.string()),
    state: described(
      z.enum(INSTANCE_STATES),
      "`starting`: not ready, or not just now. `draining`: it takes nothing new.",
    ),
    intents: described(z.array(z.string()), "The types of intents that it handles."),
  }),
);

export function instanceView({
  instance: id,
  service,
  address,
  port,
  tags,
  state,
  intents = [],
}: RegistryEntry) {
  return { id, service, address, port, tags, state, intents };
}

export const problemBody = answered(
  "Problem",
  described(
    z.strictObject({
      type: z.string(),
      title: z.string(),
      status: z.int(),
      detail: optional(z.string(), "What is wrong and what to do."),
      errors: optional(
        z.array(z.strictObject({ path: z.string(), message: z.string() })),
        "Every part of the request that is wrong.",
      ),
    }),
    "RFC 9457.",
  ),
);

function pageOf<T extends Schema>(id: string, item: T) {
  const cursor = described(z.nullable(z.string()), "What to go on after; null at the end.");
  return answered(id, z.strictObject({ items: z.array(item), cursor }));
}

export const sessionPage = pageOf("SessionPage", session);
export const executionPage = pageOf("ExecutionPage", execution);
export const statePage = pageOf("StatePage", stateEntry);
export const walPage = pageOf("WalPage", walRecord);
export const instancePage = pageOf("InstancePage", instance);

export function pageView<T, V>({ items, cursor }: Page<T>, view: (item: T) => V) {
  return { items: items.map(view), cursor: cursor ?? null };
}
