// What the log says of sessions and of the state surface: the payloads of its records. An event carries every time and version that
// matters, so that folding the log needs no clock and no store. No event holds a token, or a hash of one.

/** What JSON can hold. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

/** What an entry of a session holds. */
export type SessionValue = {
  user: string;
  context: JsonObject;
  createdAtMs: number;
  updatedAtMs: number;
  /** How long it lives without use. */
  idleMs: number;
  /** When it expires even in use. */
  endsAtMs: number;
};

/** The version that was written, and when it expires. */
type Written = { version: number; expiresAtMs: number };
/** The last version that there was. */
type Removed = { version: number };
type StateKey = { namespace: string; key: string };

export type SessionEvent =
  | { type: "session_created"; session: string; payload: Omit<SessionValue, "updatedAtMs"> & Written }
  /** `context`: what was laid over the one before; absent when it was only used. */
  | {
      type: "session_updated";
      session: string;
      payload: { context?: JsonObject; updatedAtMs: number } & Written;
    }
  | { type: "session_rotated"; session: string; payload: { updatedAtMs: number } & Written }
  | {
      type: "session_closed" | "session_expired" | "session_revoked";
      session: string;
      /** Whose it was: by then there is nothing else that says it. */
      payload: Removed & { user: string };
    };

export type StateEvent =
  | {
      type: "state_written";
      payload: StateKey & { value: Json; version: number; expiresAtMs?: number };
    }
  | { type: "state_deleted" | "state_expired"; payload: StateKey & Removed };

export type PlaneEvent = SessionEvent | StateEvent;

const TYPES: ReadonlySet<string> = new Set<PlaneEvent["type"]>([
  "session_created",
  "session_updated",
  "session_rotated",
  "session_closed",
  "session_expired",
  "session_revoked",
  "state_written",
  "state_deleted",
  "state_expired",
]);

/** Whether a record of the log is one of these. */
export function isPlaneEvent<R extends { type: string }>(record: R): record is R & PlaneEvent {
  return TYPES.has(record.type);
}
