// The operations on intents and on the executions that they become. The bearer of a session's token may submit intents in that
// session; resolving what is parked is for operators.
import type { Json } from "../core/json.ts";
import { PlaneError } from "../errors.ts";
import type { Execution, NewIntent, Resolution, TenantPlane } from "../ports/plane.ts";
import type { Message } from "./feed.ts";
import type { PlaneLimits } from "./plane-limits.ts";
import { type Answer, type Operation, operation } from "./plane-operation.ts";
import { listQuery, sequence } from "./plane-queries.ts";
import { anything, duration, name, optional, sent, z } from "./plane-schema-kit.ts";
import {
  EXECUTION_STATES,
  execution,
  executionView,
  executionPage,
  pageView,
  recordView,
  walRecord,
} from "./plane-views.ts";

export function executionOperations(limits: PlaneLimits): Operation[] {
  return [submission(limits), list(limits), one(), ...actions(limits)];
}

function submission(limits: PlaneLimits): Operation {
  const body = sent(
    "NewIntent",
    z.strictObject({ type: name(limits), session: z.string(), payload: anything() }),
  );
  return operation({
    id: "submitIntent",
    tag: "intents",
    method: "POST",
    path: "/intents",
    summary: "Submits an intent, which becomes an execution. The session's own bearer may.",
    description:
      "The same `Idempotency-Key` with the same intent is answered with the same execution; with another intent it is refused.",
    body,
    headers: ["Idempotency-Key"],
    bySession: true,
    problems: [404],
    answers: { 202: execution },
    async handle({ plane, body: { type, session, payload }, asker, idempotencyKey }) {
      if (asker.session && asker.session.id !== session)
        throw new PlaneError("not-found", "not of this bearer");
      const intent: NewIntent = {
        type,
        session,
        payload: payload as Json,
        ...(idempotencyKey !== undefined && { idempotencyKey }),
      };
      const submitted = await plane.executions.submit(intent);
      return { ...accepted(submitted), location: `/executions/${submitted.id}` };
    },
  });
}

function list(limits: PlaneLimits): Operation {
  const filters = {
    state: optional(z.enum(EXECUTION_STATES), "Only those in this state."),
    type: optional(name(limits), "Only those of this type of intent."),
    session: optional(name(limits), "Only those of this session."),
  };
  return operation({
    id: "listExecutions",
    tag: "executions",
    method: "GET",
    path: "/executions",
    summary: "Lists executions; as a stream, each execution as it is after everything that happens to it.",
    query: listQuery(limits, filters),
    answers: { 200: executionPage },
    stream: {
      schema: execution,
      open:
        async ({ plane, query }) =>
        (from) =>
          changes(plane, { ...from, filter: query }),
    },
    async handle({ plane, query: { state, type, session, limit, cursor } }) {
      const page = await plane.executions.list({
        limit,
        ...(state !== undefined && { state }),
        ...(type !== undefined && { type }),
        ...(session !== undefined && { session }),
        ...(cursor !== undefined && { after: cursor }),
      });
      return { status: 200, content: pageView(page, executionView) };
    },
  });
}

/** What anybody may keep a request waiting. */
const WAIT_MAX_MS = 300_000;

function one(): Operation {
  const wait = duration.check(z.maximum(WAIT_MAX_MS, { error: "expected at most 5m" }));
  return operation({
    id: "getExecution",
    tag: "executions",
    method: "GET",
    path: "/executions/{id}",
    summary: "Reads an execution; as a stream, the records of the log that are about it.",
    query: z.strictObject({
      wait: optional(wait, "Answers once it is over or parked, or after this, such as 10s; at most 5m."),
      after: optional(sequence, "As a stream: from behind this sequence number on."),
    }),
    problems: [404],
    answers: { 200: execution },
    waits: true,
    stream: {
      schema: walRecord,
      async open({ plane, params: { id = "" } }) {
        await plane.executions.get(id);
        return (from) => records(plane, { ...from, execution: id });
      },
    },
    async handle({ plane, params: { id = "" }, query: { wait: timeoutMs = 0 }, ending }) {
      const found = await (timeoutMs === 0
        ? plane.executions.get(id)
        : plane.executions.wait(id, { timeoutMs, signal: ending }));
      return { status: 200, content: executionView(found) };
    },
  });
}

function actions(limits: PlaneLimits): Operation[] {
  const shared = {
    tag: "executions",
    method: "POST",
    problems: [404, 409],
    answers: { 202: execution },
  } as const;
  const resolution = sent(
    "Resolution",
    z.strictObject({
      action: z.enum(["retry", "done", "skip", "abort"]),
      step: optional(name(limits), "Which step; needed where several are in doubt."),
      output: optional(z.unknown(), "With `done`: what the step gave."),
    }),
  );
  const signal = sent(
    "Signal",
    z.strictObject({ name: name(limits), payload: optional(z.unknown(), "What comes with it.") }),
  );
  return [
    operation({
      ...shared,
      id: "cancelExecution",
      path: "/executions/{id}/cancel",
      summary: "Asks an execution to stop; what it has done is undone.",
      handle: async ({ plane, params: { id = "" } }) => accepted(await plane.executions.cancel(id)),
    }),
    operation({
      ...shared,
      id: "retryExecution",
      path: "/executions/{id}/retry",
      summary: "Tries again what has failed or is parked. For operators.",
      role: "operator",
      handle: async ({ plane, params: { id = "" } }) => accepted(await plane.executions.retry(id)),
    }),
    operation({
      ...shared,
      id: "resolveExecution",
      path: "/executions/{id}/resolve",
      summary: "Decides about a parked execution. For operators.",
      role: "operator",
      body: resolution,
      handle: async ({ plane, params: { id = "" }, body }) =>
        accepted(await plane.executions.resolve(id, body as Resolution)),
    }),
    operation({
      ...shared,
      id: "signalExecution",
      path: "/executions/{id}/signal",
      summary: "Sends an execution the signal that it waits for, or will.",
      body: signal,
      handle: async ({ plane, params: { id = "" }, body }) =>
        accepted(await plane.executions.signal(id, body as { name: string; payload?: Json })),
    }),
  ];
}

function accepted(found: Execution): Answer {
  return { status: 202, content: executionView(found) };
}

interface From {
  after: number | undefined;
  signal: AbortSignal;
}

type Filter = { [K in "state" | "type" | "session"]?: string | undefined };

async function* changes(
  { wal, executions }: TenantPlane,
  { filter: { state, type, session }, ...from }: From & { filter: Filter },
): AsyncGenerator<Message & { id: number }> {
  for await (const record of wal.tail({ ...from, ...(session !== undefined && { session }) })) {
    if (record.execution === undefined) continue;
    const found = await executions.get(record.execution);
    if (state !== undefined && found.state !== state) continue;
    if (type !== undefined && found.type !== type) continue;
    if (session !== undefined && found.session !== session) continue;
    yield { event: record.type, id: record.seq, data: executionView(found) };
  }
}

async function* records(
  { wal }: TenantPlane,
  query: From & { execution: string },
): AsyncGenerator<Message & { id: number }> {
  for await (const record of wal.tail(query)) {
    yield { event: record.type, id: record.seq, data: recordView(record) };
  }
}
