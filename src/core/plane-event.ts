// What the log says of sessions and of the state surface: the payloads of its records. An event carries every time and version that
// matters, so that folding the log needs no clock and no store. No event holds a token, or a hash of one.
import type { Json, JsonObject } from "./json.ts";

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

/** Their names, every one: the compiler sees to it. */
export const PLANE_EVENTS: Readonly<Record<PlaneEvent["type"], true>> = {
  session_created: true,
  session_updated: true,
  session_rotated: true,
  session_closed: true,
  session_expired: true,
  session_revoked: true,
  state_written: true,
  state_deleted: true,
  state_expired: true,
};

/** Whether a record of the log is one of these. */
export function isPlaneEvent<R extends { type: string }>(record: R): record is R & PlaneEvent {
  return Object.hasOwn(PLANE_EVENTS, record.type);
}
