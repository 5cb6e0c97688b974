// The state as a fold of the log: which entries a record writes and removes. Whoever commits a record takes its entries from here,
// and so does whoever replays the log, so both come to the same state. It knows no store, no clock and no token.
//
//   session/ID              the session, without its token                        ┐
//   session-of/USER/ID      so that those of a user are found                     ├ derived from the log, and hashed: `isDerived`
//   state/NAMESPACE/KEY     a value of the state surface                          ┘
//   token/ID[/HASH]         hashes of tokens, which are nowhere in the log        ┐
//   open/ID execution/ID    saves folding the logs of executions                  │
//   idempotency/KEY         which execution a key stands for                      ├ bookkeeping beside it
//   answer/EXECUTION/NAME   what its owner answered another replica               │
//   base[/KEY]              what is left of what is no longer kept (plane-base)   ┘
import type { Json } from "./json.ts";
import { canonicalJson } from "./canonical-json.ts";
import { keyOf } from "./key.ts";
import {
  isPlaneEvent,
  type PlaneEvent,
  type SessionEvent,
  type SessionValue,
  type StateEvent,
} from "./plane-event.ts";

export interface FoldedEntry {
  value: Json;
  version: number;
  expiresAtMs?: number;
}

/** What a record does to the entries; one that it puts under a new key has the version said, like every other. */
export interface Changes {
  put: readonly (FoldedEntry & { key: string })[];
  remove: readonly string[];
}

/** The value of an entry as it stands, also of one that has expired and is still kept. */
export type ValueOf = (key: string) => Json | undefined;

export const sessionKey = (id: string): string => keyOf("session", id);
const userKey = (user: string, id: string): string => keyOf("session-of", user, id);
export const tokenKey = (...idAndHash: readonly string[]): string => keyOf("token", ...idAndHash);
export const stateKey = (namespace: string, key: string): string => keyOf("state", namespace, key);

/** Throws for a log that cannot have been written like that. */
export function changesOf(event: PlaneEvent, valueOf: ValueOf): Changes {
  return isStateEvent(event) ? stateChanges(event) : sessionChanges(event, valueOf);
}

const isStateEvent = (event: PlaneEvent): event is StateEvent => event.type.startsWith("state_");

function stateChanges({ type, payload }: StateEvent): Changes {
  const key = stateKey(payload.namespace, payload.key);
  if (type !== "state_written") return { put: [], remove: [key] };
  const { value, version, expiresAtMs } = payload;
  return { put: [{ key, value, version, ...(expiresAtMs !== undefined && { expiresAtMs }) }], remove: [] };
}

function sessionChanges(event: SessionEvent, valueOf: ValueOf): Changes {
  const { session: id } = event;
  const key = sessionKey(id);
  if (event.type === "session_created") {
    const { version, expiresAtMs, ...rest } = event.payload;
    const value = { ...rest, updatedAtMs: rest.createdAtMs };
    const ofUser = { key: userKey(rest.user, id), value: null, version };
    return { put: [{ key, value, version, expiresAtMs }, ofUser], remove: [] };
  }
  const before = valueOf(key) as SessionValue | undefined;
  if (before === undefined) throw new Error(`internal: ${event.type} of ${id}, which is not there`);
  if (event.type !== "session_updated" && event.type !== "session_rotated")
    return { put: [], remove: [key, userKey(before.user, id)] };
  const { version, expiresAtMs, updatedAtMs } = event.payload;
  const laid = event.type === "session_updated" ? event.payload.context : undefined;
  const value = { ...before, context: { ...before.context, ...laid }, updatedAtMs };
  return { put: [{ key, value, version, expiresAtMs }], remove: [] };
}

/** What else is folded: the changes of records that are neither of a session nor of the state surface. */
export type OtherChanges = (record: { type: string; payload: Json }, valueOf: ValueOf) => Changes;

const NO_CHANGES: OtherChanges = () => ({ put: [], remove: [] });

/** Does to `entries` what the commit of the record did. Records go in by their sequence number. */
export function foldRecord(
  entries: Map<string, FoldedEntry>,
  record: { type: string; payload: Json },
  others: OtherChanges = NO_CHANGES,
): void {
  const valueOf: ValueOf = (key) => entries.get(key)?.value;
  const { put, remove } = isPlaneEvent(record) ? changesOf(record, valueOf) : others(record, valueOf);
  for (const { key, ...entry } of put) entries.set(key, entry);
  for (const key of remove) entries.delete(key);
}

/**
 * Whether the log says all of what is under this key, so that whoever folds it comes to the same value and version. Of the rest it does
 * not: a state that was made from the log alone has every session, and no token that opens one; and what is kept of executions is made
 * of their logs by definitions, which may have changed since.
 */
export function isDerived(key: string): boolean {
  return /^(?:session|session-of|state)\//.test(key);
}

/** One entry as a line of the text that is hashed. */
function stateLine({ key, value, version, expiresAtMs }: FoldedEntry & { readonly key: string }): string {
  return canonicalJson({ key, value, version, ...(expiresAtMs !== undefined && { expiresAtMs }) });
}

/**
 * What of these entries can be seen at that time and comes from the log, in the one order and spelling that is hashed. Of entries that
 * come in pieces, ascending, it is the texts of the pieces one after the other.
 */
export function stateText(
  entries: Iterable<FoldedEntry & { readonly key: string }>,
  { atMs }: { atMs: number },
): string {
  return [...entries]
    .filter(({ key, expiresAtMs }) => isDerived(key) && (expiresAtMs === undefined || expiresAtMs > atMs))
    .toSorted((a, b) => (a.key < b.key ? -1 : 1))
    .map((entry) => `${stateLine(entry)}\n`)
    .join("");
}
