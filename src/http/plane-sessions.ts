// The operations on sessions. A session's token lets its bearer read it; all else is for whoever acts for its tenant.
import type { JsonObject } from "../core/json.ts";
import { PlaneError } from "../errors.ts";
import type { Session, TenantPlane } from "../ports/plane.ts";
import type { LogRecord, WalType } from "../ports/store.ts";
import type { Message } from "./feed.ts";
import { writeIf } from "./plane-conditions.ts";
import type { PlaneLimits } from "./plane-limits.ts";
import { type Answer, type Operation, operation } from "./plane-operation.ts";
import { listQuery } from "./plane-queries.ts";
import { name, object, optional, sent, span, z } from "./plane-schema-kit.ts";
import {
  sessionPage,
  pageView,
  session,
  sessionChange,
  sessionView,
  sessionWithToken,
} from "./plane-views.ts";

export function sessionOperations(limits: PlaneLimits): Operation[] {
  return [creation(limits), list(limits), ...one(), change()];
}

function creation(limits: PlaneLimits): Operation {
  const most = (key: string) => `At most, and if left out: \`plane.sessions.${key}\`, such as 30m.`;
  const body = sent(
    "NewSession",
    z.strictObject({
      user: name(limits),
      context: optional(object(), "Kept with it. Default: empty."),
      idle: optional(span, `How long it may go unused. ${most("idle")}`),
      absolute: optional(span, `How long it may last at all. ${most("absolute")}`),
    }),
  );
  return operation({
    id: "createSession",
    tag: "sessions",
    method: "POST",
    path: "/sessions",
    summary: "Creates a session and tells its token, once.",
    body,
    answers: { 201: sessionWithToken },
    async handle({ plane, body: { user, context, idle, absolute } }) {
      const created = await plane.sessions.create({
        user,
        ...(context !== undefined && { context: context as Session["context"] }),
        ...(idle !== undefined && { idleMs: idle }),
        ...(absolute !== undefined && { absoluteMs: absolute }),
      });
      return { ...answer(created, 201), location: `/sessions/${created.id}` };
    },
  });
}

function list(limits: PlaneLimits): Operation {
  return operation({
    id: "listSessions",
    tag: "sessions",
    method: "GET",
    path: "/sessions",
    summary: "Lists active sessions; as a stream, each session as it is after each change of it.",
    query: listQuery(limits, { user: optional(name(limits), "Only those of this user.") }),
    answers: { 200: sessionPage },
    stream: {
      schema: sessionChange,
      open:
        async ({ plane, query: { user } }) =>
        (from) =>
          changes(plane, { ...from, user }),
    },
    async handle({ plane, query: { user, limit, cursor } }) {
      const page = await plane.sessions.list({
        limit,
        ...(user !== undefined && { user }),
        ...(cursor !== undefined && { after: cursor }),
      });
      return { status: 200, content: pageView(page, sessionView) };
    },
  });
}

function one(): Operation[] {
  const shared = { tag: "sessions", problems: [404] } as const;
  return [
    operation({
      ...shared,
      id: "getSession",
      method: "GET",
      path: "/sessions/{id}",
      summary: "Reads a session. Its own bearer may.",
      headers: ["If-None-Match"],
      bySession: true,
      answers: { 200: session, 304: null },
      async handle({ plane, params: { id = "" }, asker, isKnown }) {
        // Of another session its bearer learns what anybody learns of one that is not there.
        if (asker.session && asker.session.id !== id) throw new PlaneError("not-found", "not of this bearer");
        const found = await plane.sessions.get(id);
        return isKnown(found.version) ? { status: 304, version: found.version } : answer(found);
      },
    }),
    operation({
      ...shared,
      id: "closeSession",
      method: "DELETE",
      path: "/sessions/{id}",
      summary: "Closes a session, for good.",
      answers: { 204: null },
      async handle({ plane, params: { id = "" } }) {
        await plane.sessions.close(id);
        return { status: 204 };
      },
    }),
    operation({
      ...shared,
      id: "touchSession",
      method: "POST",
      path: "/sessions/{id}/touch",
      summary: "Says that a session is in use: its idle time begins anew.",
      answers: { 200: session },
      handle: async ({ plane, params: { id = "" } }) => answer(await plane.sessions.touch(id)),
    }),
    operation({
      ...shared,
      id: "rotateSession",
      method: "POST",
      path: "/sessions/{id}/rotate",
      summary: "Gives a session a new token. The use of an old one then revokes the session.",
      answers: { 200: sessionWithToken },
      handle: async ({ plane, params: { id = "" } }) => answer(await plane.sessions.rotate(id)),
    }),
  ];
}

function change(): Operation {
  return operation({
    id: "patchSession",
    tag: "sessions",
    method: "PATCH",
    path: "/sessions/{id}",
    summary: "Lays `context` over the present one, key by key.",
    headers: ["If-Match"],
    body: sent("SessionPatch", z.strictObject({ context: object() })),
    problems: [404, 412],
    answers: { 200: session },
    async handle({ plane, params: { id = "" }, body, condition }) {
      const context = body.context as Session["context"];
      const patched = await writeIf({
        condition,
        look: async () => (await plane.sessions.get(id)).version,
        write: (options) => plane.sessions.patch(id, { context }, options),
      });
      return answer(patched);
    },
  });
}

function answer(found: Session, status: Answer["status"] = 200): Answer {
  return { status, content: sessionView(found), version: found.version };
}

const CHANGES = [
  "session_created",
  "session_updated",
  "session_rotated",
  "session_closed",
  "session_expired",
  "session_revoked",
] as const satisfies readonly WalType[];

const ENDS: Readonly<Partial<Record<WalType, string>>> = {
  session_closed: "closed",
  session_expired: "expired",
  session_revoked: "revoked",
};

/** Of the end of a session only its id is told: by then nobody can read it. */
async function* changes(
  { wal, sessions }: TenantPlane,
  { user, ...from }: { user: string | undefined; after: number | undefined; signal: AbortSignal },
): AsyncGenerator<Message & { id: number }> {
  const isWanted = (of: unknown) => user === undefined || of === user;
  for await (const record of wal.tail({ types: CHANGES, ...from })) {
    const { session: id = "", type } = record;
    const state = ENDS[type];
    if (state !== undefined) {
      if (isWanted((record.payload as JsonObject)["user"])) yield event(record, { id, state });
      continue;
    }
    const found = await sessions.get(id).catch(nothingIfGone);
    // What ended it comes later in the log.
    if (found !== undefined && isWanted(found.user)) yield event(record, sessionView(found));
  }
}

function event({ type, seq }: LogRecord, data: object) {
  return { event: type, id: seq, data };
}

function nothingIfGone(error: unknown): undefined {
  if (error instanceof PlaneError && error.problem === "not-found") return undefined;
  throw error;
}
