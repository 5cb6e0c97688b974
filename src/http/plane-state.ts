// The operations on the state surface. Namespaces and keys stand percent-encoded in the path, each of them one segment of it.
import type { Json } from "../core/json.ts";
import { PlaneError } from "../errors.ts";
import type { StateEntry, TenantPlane } from "../ports/plane.ts";
import type { Message } from "./feed.ts";
import { writeIf } from "./plane-conditions.ts";
import type { PlaneLimits } from "./plane-limits.ts";
import { type Answer, type Call, type Operation, operation } from "./plane-operation.ts";
import { listQuery } from "./plane-queries.ts";
import { anything, optional, prefix, sent, span, z } from "./plane-schema-kit.ts";
import { changeView, entryView, statePage, pageView, stateChange, stateEntry } from "./plane-views.ts";

export function stateOperations(limits: PlaneLimits): Operation[] {
  return [list(limits), reading(), writing(), deletion()];
}

function list(limits: PlaneLimits): Operation {
  return operation({
    id: "listState",
    tag: "state",
    method: "GET",
    path: "/state/{namespace}",
    summary: "Lists the entries of a namespace by key; as a stream, every change of one, once and in order.",
    query: listQuery(limits, { prefix: optional(prefix(limits), "Only keys that begin with this.") }),
    answers: { 200: statePage },
    stream: {
      schema: stateChange,
      open:
        async ({ plane, params: { namespace = "" }, query }) =>
        (from) =>
          changes(plane, { ...from, namespace, prefix: query.prefix ?? "" }),
    },
    async handle({ plane, params: { namespace = "" }, query: { prefix, limit, cursor } }) {
      const page = await plane.state.list(namespace, {
        limit,
        ...(prefix !== undefined && { prefix }),
        ...(cursor !== undefined && { after: cursor }),
      });
      return { status: 200, content: pageView(page, entryView) };
    },
  });
}

function reading(): Operation {
  return operation({
    id: "getState",
    tag: "state",
    method: "GET",
    path: "/state/{namespace}/{key}",
    summary: "Reads an entry.",
    headers: ["If-None-Match"],
    problems: [404],
    answers: { 200: stateEntry, 304: null },
    async handle({ plane, params: { namespace = "", key = "" }, isKnown }) {
      const entry = await plane.state.get(namespace, key);
      if (entry === undefined) throw new PlaneError("not-found", `there is no "${key}"`);
      return isKnown(entry.version) ? { status: 304, version: entry.version } : answer(entry, 200);
    },
  });
}

function writing(): Operation {
  const body = sent(
    "StateWrite",
    z.strictObject({
      value: anything(),
      ttl: optional(span, "How long it is there, such as 10m. Default: until it is deleted."),
    }),
  );
  return operation({
    id: "putState",
    tag: "state",
    method: "PUT",
    path: "/state/{namespace}/{key}",
    summary: "Writes an entry: 201 if there was none. `If-None-Match: *` writes only then.",
    body,
    headers: ["If-Match", "If-None-Match"],
    problems: [412],
    answers: { 200: stateEntry, 201: stateEntry },
    async handle(call) {
      const { plane, params, body } = call;
      const { namespace = "", key = "" } = params;
      const { created, ...entry } = await writeIf({
        condition: call.condition,
        look: () => versionOf(call),
        write: (options) =>
          plane.state.put(namespace, key, {
            value: body.value as Json,
            ...(body.ttl !== undefined && { ttlMs: body.ttl }),
            ...options,
          }),
      });
      return answer(entry, created ? 201 : 200);
    },
  });
}

function deletion(): Operation {
  return operation({
    id: "deleteState",
    tag: "state",
    method: "DELETE",
    path: "/state/{namespace}/{key}",
    summary: "Deletes an entry.",
    headers: ["If-Match"],
    problems: [404, 412],
    answers: { 204: null },
    async handle(call) {
      const { namespace = "", key = "" } = call.params;
      await writeIf({
        condition: call.condition,
        look: () => versionOf(call),
        write: (options) => call.plane.state.delete(namespace, key, options),
      });
      return { status: 204 };
    },
  });
}

async function versionOf({ plane, params: { namespace = "", key = "" } }: Call): Promise<number> {
  return (await plane.state.get(namespace, key))?.version ?? 0;
}

function answer(entry: StateEntry, status: Answer["status"]): Answer {
  return { status, content: entryView(entry), version: entry.version };
}

interface Watched {
  namespace: string;
  prefix: string;
  after: number | undefined;
  signal: AbortSignal;
}

async function* changes(
  { state, wal }: TenantPlane,
  { namespace, prefix, after, signal }: Watched,
): AsyncGenerator<Message & { id: number }> {
  const start = after ?? (await wal.keptFrom());
  for await (const change of state.watch(namespace, { after: start, signal })) {
    if (!change.key.startsWith(prefix)) continue;
    yield { event: `state_${change.type}`, id: change.seq, data: changeView(change, namespace) };
  }
}
