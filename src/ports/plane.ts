// What the durable plane offers, whoever asks: HTTP, services in this process, the command line. Everything is seen through one
// tenant; what belongs to another is as if it were not there. What cannot be done rejects with `PlaneError`, a store that is lost
// with `StoreError`.
import type { Json, JsonObject } from "../core/json.ts";
import type { LogRecord, Page, WalType } from "./store.ts";

export type SessionState = "active" | "closed" | "expired" | "revoked";

export interface Session {
  /** `session_…`; names the session and is no secret. */
  id: string;
  tenant: string;
  user: string;
  context: JsonObject;
  state: SessionState;
  /** Raised by one with every change, from 1. */
  version: number;
  createdAtMs: number;
  updatedAtMs: number;
  /** When it expires unless it is used before: the earlier of its idle and its absolute end. */
  expiresAtMs: number;
}

export interface NewSession {
  user: string;
  context?: JsonObject;
  /** Milliseconds without use; default and most: `plane.sessions.idle`. */
  idleMs?: number;
  /** Milliseconds at all; default and most: `plane.sessions.absolute`. */
  absoluteMs?: number;
}

/** Closed, expired, revoked, unknown and foreign ones are all `not-found`. */
export interface Sessions {
  /** `token` is told here and at `rotate` only; a hash of it is kept. */
  create(session: NewSession): Promise<Session & { token: string }>;
  get(id: string): Promise<Session>;
  list(query?: { user?: string; after?: string; limit?: number }): Promise<Page<Session>>;
  /** Lays `context` over the present one, key by key. `stale` when `ifVersion` is not its version. */
  patch(id: string, change: { context: JsonObject }, options?: { ifVersion?: number }): Promise<Session>;
  /** It is in use: its idle time begins anew. */
  touch(id: string): Promise<Session>;
  close(id: string): Promise<void>;
  /** A new token; the use of an old one revokes the session. */
  rotate(id: string): Promise<Session & { token: string }>;
}

export interface StateEntry {
  namespace: string;
  key: string;
  value: Json;
  version: number;
  expiresAtMs?: number;
}

/** `ifVersion` 0: only if there is none. */
export interface IfVersion {
  ifVersion?: number;
}

export interface StateSurface {
  get(namespace: string, key: string): Promise<StateEntry | undefined>;
  /** Resolves with `created` when there was none. `stale` when `ifVersion` does not hold. */
  put(
    namespace: string,
    key: string,
    options: { value: Json; ttlMs?: number } & IfVersion,
  ): Promise<StateEntry & { created: boolean }>;
  /** `not-found` when there is none. */
  delete(namespace: string, key: string, options?: IfVersion): Promise<void>;
  list(
    namespace: string,
    query?: { prefix?: string; after?: string; limit?: number },
  ): Promise<Page<StateEntry>>;
  /**
   * Every change from `after` on (absent: from now on), once, in order; ends when `signal` aborts, and rejects with `compacted` when
   * what comes next is not kept any more.
   */
  watch(namespace: string, options: { after?: number; signal: AbortSignal }): AsyncIterable<StateChange>;
}

export interface StateChange {
  /** Of the record in the log. */
  seq: number;
  key: string;
  type: "written" | "deleted" | "expired";
  /** Absent after a deletion or expiry. */
  value?: Json;
  version: number;
}

export interface WalFilter {
  types?: readonly WalType[];
  session?: string;
  execution?: string;
}

export interface Wal {
  /** Ascending, from behind `after`; absent: from the first that is kept. Rejects with `compacted` when what comes next is not. A filtered page may be short, even empty, with a cursor to go on from. */
  read(query?: WalFilter & { after?: number | undefined; limit?: number }): Promise<Page<LogRecord>>;
  /** From behind this sequence number on everything is kept. */
  keptFrom(): Promise<number>;
  /** What is there behind `after` and everything appended since, without gaps; ends when `signal` aborts. */
  tail(query: WalFilter & { after?: number | undefined; signal: AbortSignal }): AsyncIterable<LogRecord>;
}

export type ExecutionState =
  "pending" | "running" | "completed" | "compensating" | "compensated" | "failed" | "parked" | "cancelled";

export interface ExecutionError {
  message: string;
  /** `interrupted`: the process that ran it has died. */
  reason?: string;
}

export interface StepView {
  name: string;
  state: string;
  attempts: number;
  output?: Json;
  error?: ExecutionError;
}

export interface Execution {
  /** `execution_…` */
  id: string;
  type: string;
  tenant: string;
  session: string;
  state: ExecutionState;
  payload: Json;
  result?: Json;
  error?: ExecutionError;
  saga?: { id: string; definition: string; steps: readonly StepView[] };
  createdAtMs: number;
  updatedAtMs: number;
}

export interface NewIntent {
  type: string;
  /** The id of a session. */
  session: string;
  payload: Json;
  /** The same key and intent is the same execution; the same key and another intent is `mismatch`. */
  idempotencyKey?: string;
}

export type Resolution = { action: "retry" | "done" | "skip" | "abort"; step?: string; output?: Json };

export interface Executions {
  /** `not-found` for a session that is not there, `invalid` for an unknown type or a payload its schema refuses. */
  submit(intent: NewIntent): Promise<Execution>;
  get(id: string): Promise<Execution>;
  /** Resolves once it is terminal or parked, when `timeoutMs` are over, or when `signal` aborts; with what it is then. */
  wait(id: string, options: { timeoutMs: number; signal?: AbortSignal }): Promise<Execution>;
  list(query?: {
    state?: ExecutionState;
    type?: string;
    session?: string;
    after?: string;
    limit?: number;
  }): Promise<Page<Execution>>;
  /** `conflict` where its state does not allow it; so for the three below. */
  cancel(id: string): Promise<Execution>;
  retry(id: string): Promise<Execution>;
  resolve(id: string, resolution: Resolution): Promise<Execution>;
  signal(id: string, signal: { name: string; payload?: Json }): Promise<Execution>;
}

/** The plane as one tenant sees it. */
export interface TenantPlane {
  sessions: Sessions;
  state: StateSurface;
  wal: Wal;
  executions: Executions;
}

export interface Plane {
  tenant(name: string): TenantPlane;
  /**
   * Whose session token this is, and of which session. `undefined` for a forged, closed or expired one, and for one that has been
   * rotated away, whose session is then revoked.
   */
  sessionOf(token: string): Promise<Session | undefined>;
}
