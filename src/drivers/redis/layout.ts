// Where things stand in Redis, and in what form: the names of keys, and rows as texts. All keys of a tenant lie in one slot of a
// cluster, by a tag in braces that no other tenant has. It talks to nobody.
//
//   NAMESPACE:version            STRING  of this form
//   NAMESPACE:tenants            ZSET    hint where to look: every tenant that may have something
//   NAMESPACE:copy               STRING  while it is the target of a migration: the mark, as JSON
//   NAMESPACE:runtimes           channel: nothing is said there; who listens is a runtime
//   NAMESPACE:{TENANT}:head      HASH    seq, ms, id (of the last record), by (who wrote last), floor (of versions), g:REPLICA (its generation)
//   …:log                        STREAM  SEQ-0 → i: event, m: milliseconds, r: the rest as JSON, v: versions put with it
//   …:of:EXECUTION               LIST    sequence numbers of its records, ascending
//   …:entries                    HASH    key → `VERSION EXPIRES JSON`
//   …:keys                       ZSET    keys, in order
//   …:expiry                     ZSET    key → when it expires
//   …:removed                    ZSET    key → the version it had
//   …:open                       HASH    execution → `TOKEN DEFINITION`
//   …:free, …:held               ZSET    `DEFINITION NUL EXECUTION`; those held → until when
//   …:attempt:ID                 STRING  what came of a commit that left no record, for ten minutes
//   …:copy                       HASH    during a migration: token of who copies, at (how far)
//   …:written                    channel: who has written
import { keyOf, partsOf } from "../../core/key.ts";

/** What braces would hold for the empty tenant is no tag; no encoded name is a lone `%`. */
const EMPTY = "%";

/** Raised when an older program could not read what a newer one writes. */
export const LAYOUT = 1;

export const layoutKey = (namespace: string): string => `${namespace}:version`;

export const tenantsKey = (namespace: string): string => `${namespace}:tenants`;

export const copyMarkKey = (namespace: string): string => `${namespace}:copy`;

export const runtimesChannel = (namespace: string): string => `${namespace}:runtimes`;

/** Begins every key of that tenant. */
export function tenantBase(namespace: string, tenant: string): string {
  return `${namespace}:{${keyOf(tenant) || EMPTY}}:`;
}

/** As it stands in the list of tenants. */
export const tenantMember = (tenant: string): string => keyOf(tenant);

export const tenantOf = (member: string): string => partsOf(member)[0] ?? "";

export interface EntryText {
  version: number;
  json: string;
  expiresAtMs?: number;
}

export function parseEntry(text: string): EntryText {
  const first = text.indexOf(" ");
  const second = text.indexOf(" ", first + 1);
  const expires = text.slice(first + 1, second);
  return {
    version: Number(text.slice(0, first)),
    json: text.slice(second + 1),
    ...(expires !== "" && { expiresAtMs: Number(expires) }),
  };
}

/** A record as the log gives it. */
export type RecordReply = readonly [place: string, fields: readonly string[]];

/** `rest`: for {@link parseRecord}, or to be read as JSON with its payload. */
export function partsOfRecord([place, [, id = "", , ms, , rest = ""]]: RecordReply) {
  return { seq: Number.parseInt(place, 10), id, timeMs: Number(ms), rest };
}

interface RecordText {
  type: string;
  session?: string | undefined;
  execution?: string | undefined;
  saga?: string | undefined;
  step?: string | undefined;
  /** As JSON. */
  payload: string;
}

const PAYLOAD = ',"payload":';

/** All of a record that the log does not keep by itself. */
export function recordText({ type, session, execution, saga, step, payload }: RecordText): string {
  const rest = JSON.stringify({ type, session, execution, saga, step });
  return `${rest.slice(0, -1)}${PAYLOAD}${payload}}`;
}

/** What {@link recordText} was given. The quotes in its other texts are escaped, so none of them looks like the payload. */
export function parseRecord(text: string): RecordText {
  const end = text.indexOf(PAYLOAD);
  return {
    ...(JSON.parse(`${text.slice(0, end)}}`) as Omit<RecordText, "payload">),
    payload: text.slice(end + PAYLOAD.length, -1),
  };
}
