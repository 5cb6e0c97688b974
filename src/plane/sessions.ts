// Sessions of one tenant: each an entry under its public id, and beside it a hash of its one live token. What is closed, revoked or
// expired is not there any more, for good; the log says what became of it. No token is kept, and none is ever in the log.
import type { JsonObject } from "../core/json.ts";
import type { SessionEvent, SessionValue } from "../core/plane-event.ts";
import { keyOf, partsOf } from "../core/key.ts";
import { sessionKey, tokenKey } from "../core/plane-fold.ts";
import { PlaneError } from "../errors.ts";
import type { NewSession, Session, Sessions } from "../ports/plane.ts";
import type { Entry, Page } from "../ports/store.ts";
import {
  BAD_CURSOR,
  jsonCopy,
  nameProblem,
  numberProblem,
  pageOf,
  type PlaneLimits,
  refuse,
} from "./limits.ts";
import { collectPage } from "./page.ts";
import { newId, newToken } from "./token.ts";
import { type Present, refuseStale, type Writer } from "./writer.ts";

export interface SessionTimes {
  idleMs: number;
  absoluteMs: number;
}

export interface SessionsOptions {
  tenant: string;
  writer: Writer;
  limits: PlaneLimits;
  times: SessionTimes;
}

const ID = /^session_[\w-]{22}$/;

/** One text for all that is not there, whatever became of it. */
const notFound = (): PlaneError =>
  new PlaneError("not-found", "cannot find the session: there is none of this id");

export function sessionsOf(options: SessionsOptions): Sessions {
  return new TenantSessions(options);
}

class TenantSessions implements Sessions {
  readonly #tenant: string;
  readonly #writer: Writer;
  readonly #limits: PlaneLimits;
  readonly #times: SessionTimes;

  constructor({ tenant, writer, limits, times }: SessionsOptions) {
    this.#tenant = tenant;
    this.#writer = writer;
    this.#limits = limits;
    this.#times = times;
  }

  async create(session: NewSession): Promise<Session & { token: string }> {
    const { user, context, idleMs, absoluteMs } = this.#checked(session);
    const id = newId("session");
    const token = await newToken(this.#tenant, id);
    const { after } = await this.#writer.create({
      tenant: this.#tenant,
      key: sessionKey(id),
      timed: true,
      decide: ({ timeMs, version }) => {
        const endsAtMs = timeMs + absoluteMs;
        const expiresAtMs = Math.min(timeMs + idleMs, endsAtMs);
        const payload = { user, context, idleMs, endsAtMs, createdAtMs: timeMs, version, expiresAtMs };
        return {
          event: { type: "session_created", session: id, payload },
          put: [{ key: tokenKey(id), value: { hash: token.hash } }],
        };
      },
    });
    return { ...viewOf(this.#tenant, entryIn(after)), token: token.text };
  }

  async get(id: string): Promise<Session> {
    const [entry] = await this.#writer.store.get(this.#tenant, [this.#keyOf(id)]);
    if (!entry) throw notFound();
    return viewOf(this.#tenant, entry);
  }

  async list({ user, after, limit }: { user?: string; after?: string; limit?: number } = {}): Promise<
    Page<Session>
  > {
    const pageLimit = pageOf(limit, this.#limits);
    if (user !== undefined) refuse("list sessions", [nameProblem("user", user, this.#limits)]);
    if (after !== undefined && !ID.test(after)) refuse("list sessions", [BAD_CURSOR]);
    const prefix = user === undefined ? `${keyOf("session")}/` : `${keyOf("session-of", user)}/`;
    const { items, next } = await collectPage(
      {
        limit: pageLimit,
        read: async (position: string | undefined, count) => {
          const query = { prefix, limit: count, ...(position !== undefined && { after: position }) };
          return (await this.#writer.store.scan(this.#tenant, query)).items;
        },
        positionOf: (row) => row.key,
        pick: (rows) => this.#shown(rows, user !== undefined),
        payloadOf: ({ context }: Session) => context,
      },
      after === undefined ? undefined : prefix + keyOf(after),
    );
    return next === undefined ? { items } : { items, cursor: idIn(next) };
  }

  async patch(
    id: string,
    { context }: { context: JsonObject },
    { ifVersion }: { ifVersion?: number } = {},
  ): Promise<Session> {
    const doing = "patch the session";
    const { json, problem } = contextCopy(context, this.#limits);
    refuse(doing, [problem, numberProblem("ifVersion", ifVersion, { min: 0 })]);
    return this.#use(id, (entry, times) => {
      refuseStale(doing, entry, ifVersion);
      const merged = { ...valueIn(entry).context, ...json };
      refuse(doing, [contextCopy(merged, this.#limits).problem]);
      return { event: { type: "session_updated", session: id, payload: { context: json ?? {}, ...times } } };
    });
  }

  async touch(id: string): Promise<Session> {
    return this.#use(id, (_, times) => ({
      event: { type: "session_updated", session: id, payload: times },
    }));
  }

  async close(id: string): Promise<void> {
    await endSession({ tenant: this.#tenant, writer: this.#writer, id, how: "session_closed" });
  }

  async rotate(id: string): Promise<Session & { token: string }> {
    const key = this.#keyOf(id);
    const token = await newToken(this.#tenant, id);
    const session = await this.#use(
      id,
      (entry, times, [live]) => {
        const { endsAtMs } = valueIn(entry);
        // Kept as long as its session can live, so that its use is known for what it is.
        const old = { key: tokenKey(id, hashIn(live)), value: null, expiresAtMs: endsAtMs };
        return {
          event: { type: "session_rotated", session: id, payload: times },
          put: [{ key: tokenKey(id), value: { hash: token.hash } }, old],
        };
      },
      { key, others: [tokenKey(id)] },
    );
    return { ...session, token: token.text };
  }

  /** A change by somebody who uses it: it lives on from now. */
  async #use(
    id: string,
    decide: (
      entry: Entry,
      times: { updatedAtMs: number; expiresAtMs: number; version: number },
      others: Present["others"],
    ) => { event: SessionEvent; put?: readonly { key: string; value: { hash: string } | null }[] },
    { key = this.#keyOf(id), others = [] }: { key?: string; others?: readonly string[] } = {},
  ): Promise<Session> {
    const { after } = await this.#writer.update({
      tenant: this.#tenant,
      key,
      others,
      timed: true,
      decide: ({ entry, others: beside, timeMs, version }) => {
        if (!entry) throw notFound();
        const { idleMs, endsAtMs } = valueIn(entry);
        const expiresAtMs = Math.min(timeMs + idleMs, endsAtMs);
        return decide(entry, { updatedAtMs: timeMs, expiresAtMs, version }, beside);
      },
    });
    return viewOf(this.#tenant, entryIn(after));
  }

  /** Those of `rows` that can be seen; rows of a user's list only name them. */
  async #shown(rows: readonly Entry[], named: boolean): Promise<readonly (Session | undefined)[]> {
    const entries = named
      ? await this.#writer.store.get(
          this.#tenant,
          rows.map(({ key }) => sessionKey(idIn(key))),
        )
      : rows;
    return entries.map((entry) => entry && viewOf(this.#tenant, entry));
  }

  #keyOf(id: string): string {
    if (!ID.test(id)) throw notFound();
    return sessionKey(id);
  }

  #checked({ user, context = {}, idleMs, absoluteMs }: NewSession): Required<NewSession> {
    const { json, problem } = contextCopy(context, this.#limits);
    refuse("create a session", [
      nameProblem("user", user, this.#limits),
      problem,
      numberProblem("idleMs", idleMs, { max: this.#times.idleMs }),
      numberProblem("absoluteMs", absoluteMs, { max: this.#times.absoluteMs }),
    ]);
    return {
      user,
      context: json ?? {},
      idleMs: idleMs ?? this.#times.idleMs,
      absoluteMs: absoluteMs ?? this.#times.absoluteMs,
    };
  }
}

export interface Ending {
  tenant: string;
  writer: Writer;
  id: string;
  how: "session_closed" | "session_revoked";
}

/** Takes it away for good, with its token. Rejects with `not-found` when it is not there. */
export async function endSession({ tenant, writer, id, how }: Ending): Promise<void> {
  if (!ID.test(id)) throw notFound();
  await writer.update({
    tenant,
    key: sessionKey(id),
    decide: ({ entry }) => {
      if (!entry) throw notFound();
      const event = {
        type: how,
        session: id,
        payload: { version: entry.version, user: valueIn(entry).user },
      } as const;
      return { event, remove: [tokenKey(id)] };
    },
  });
}

export function viewOf(tenant: string, { key, value, version, expiresAtMs = 0 }: Entry): Session {
  const { user, context, createdAtMs, updatedAtMs } = value as SessionValue;
  return {
    id: idIn(key),
    tenant,
    user,
    context,
    state: "active",
    version,
    createdAtMs,
    updatedAtMs,
    expiresAtMs,
  };
}

const idIn = (key: string): string => partsOf(key).at(-1) ?? "";
const valueIn = (entry: Entry): SessionValue => entry.value as SessionValue;

/** Of the entry of a live token; empty for none. */
export function hashIn(entry: Entry | undefined): string {
  const { hash } = (entry?.value ?? {}) as { hash?: unknown };
  return typeof hash === "string" ? hash : "";
}

function entryIn(after: Entry | undefined): Entry {
  if (!after) throw new Error("internal: a session was written, and is not there");
  return after;
}

function contextCopy(context: JsonObject, limits: PlaneLimits): ReturnType<typeof jsonCopy<JsonObject>> {
  if (typeof context !== "object" || context === null || Array.isArray(context))
    return { json: undefined, problem: { path: "context", message: "must be an object" } };
  return jsonCopy("context", context, limits);
}
