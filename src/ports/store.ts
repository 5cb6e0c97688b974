// Where the plane keeps what must survive: for each tenant one append-only log and one set of versioned entries, changed together
// or not at all. A driver decides nothing: what is written, and what it means, is the plane's.
import type { Json } from "../core/json.ts";
import { type PlaneEvent, PLANE_EVENTS } from "../core/plane-event.ts";
import { SAGA_EVENTS, type SagaEvent } from "../core/saga-event.ts";

/** What the log says of an execution, saga or not. */
const EXECUTION_EVENTS = {
  intent_received: true,
  execution_started: true,
  execution_completed: true,
  execution_failed: true,
} as const;

export type WalType = PlaneEvent["type"] | keyof typeof EXECUTION_EVENTS | SagaEvent["type"];

const RECORDS: Readonly<Record<WalType, true>> = { ...PLANE_EVENTS, ...EXECUTION_EVENTS, ...SAGA_EVENTS };

export const WAL_TYPES = Object.keys(RECORDS) as readonly WalType[];

/** One thing the plane has decided, as it stands in the log. */
export interface LogRecord {
  /** Counts from 1 for each tenant, without gaps. */
  seq: number;
  /** `event_…`, unique. */
  id: string;
  type: WalType;
  tenant: string;
  /** When it was appended, by the store's clock, in milliseconds since the Unix epoch. */
  timeMs: number;
  session?: string;
  execution?: string;
  saga?: string;
  step?: string;
  payload: Json;
}

/** A record before it has its place: the store gives `seq`, `tenant` and `timeMs`. */
export type NewRecord = Omit<LogRecord, "seq" | "tenant" | "timeMs">;

/** One versioned entry of a tenant. */
export interface Entry {
  /** Made by `keyOf` (core/key.ts): parts percent-encoded and joined by `/`, so that no two lists of parts are one key. */
  key: string;
  value: Json;
  /** Raised by one with every write, from 1. After a removal or an expiry it goes on from where it was as long as anybody can tell. */
  version: number;
  /** From then on it is not visible any more; milliseconds since the Unix epoch, by the store's clock. */
  expiresAtMs?: number;
}

export interface Expectation {
  key: string;
  /** 0: there must be none (an expired one is none). */
  version: number;
  /** The next write gives the version after this one: that of what is there, or was until it expired or was removed. */
  last?: number;
  /** Of what has expired and is still kept; what is in sight is none then. */
  expired?: true;
}

/** Looked at in this order: the owner, what is expected. Then written in this order: records, entries, removals. */
export interface Commit {
  /** All of these must hold, or nothing is written. */
  expect?: readonly Expectation[];
  append?: readonly NewRecord[];
  put?: readonly { key: string; value: Json; expiresAtMs?: number }[];
  remove?: readonly string[];
  /** It is written on behalf of an execution: the token must be that of its latest claim. */
  owner?: Ownership;
  /** The execution that it opens is this owner's from its first moment, as by a claim; the token is of the owner's making. */
  own?: Ownership;
}

export type CommitResult =
  /** Durable. `firstSeq` is that of the first record appended (of the next one, if none was); `versions` those of what was put, in order. */
  | { ok: true; firstSeq: number; timeMs: number; versions: readonly number[] }
  /** Nothing was written: the first expectation that does not hold, the version that is there (0: none), and `last` if it was expected. */
  | { ok: false; reason: "conflict"; key: string; version: number; last?: number }
  /** Nothing was written: somebody else owns the execution by now. */
  | { ok: false; reason: "fenced" };

export interface Ownership {
  execution: string;
  /** 128 random bits, new at each claim. */
  token: string;
}

export interface Claim extends Ownership {
  tenant: string;
}

export interface Page<T> {
  items: readonly T[];
  /** What to go on after; absent at the end. */
  cursor?: string;
}

/**
 * Whose the entries are that belong to no tenant, as those of the registry. Nobody can be called that: the names of tenants have no
 * control characters. It has no records, and nothing of it is worth keeping: what copies or compares stores passes it over.
 */
export const SYSTEM_TENANT = "\u0000system";

/**
 * All methods reject with `StoreError` when the store is lost, full or closed; what was to be written is then not acknowledged,
 * and never written in part. `commit` rejects with an error of its own, and the store goes on, for what is no JSON or no Unicode.
 */
export interface Store {
  /** The only write of data, one round trip. Resolves once it is durable. */
  commit(tenant: string, commit: Commit): Promise<CommitResult>;
  /** What is there and has not expired, in the order asked for, with `undefined` for what is not. */
  get(tenant: string, keys: readonly string[]): Promise<readonly (Entry | undefined)[]>;
  /** By key, ascending; expired ones left out. */
  scan(tenant: string, query: { prefix: string; after?: string; limit: number }): Promise<Page<Entry>>;
  /** Ascending; those of one execution by an index. */
  log(
    tenant: string,
    query: { after: number; limit: number; execution?: string },
  ): Promise<readonly LogRecord[]>;
  /**
   * Calls `onWritten` after each commit that has written something, records, entries or removals, perhaps once for several, and
   * when the store is lost or closed: a hint to read on, which may find nothing, or reject. Returns a function that ends it.
   */
  watch(tenant: string, onWritten: () => void): () => void;
  /** Tenants that have anything, ascending, and the sequence number of their last record. */
  tenants(): Promise<readonly { tenant: string; lastSeq: number }[]>;
  /** Entries that have expired and are still kept, of all tenants, for whoever removes them. */
  expired(limit: number): Promise<readonly { tenant: string; entry: Entry }[]>;
  /** How long until the next entry expires, of all tenants; 0 when one has, `undefined` when none will. */
  expiresInMs(): Promise<number | undefined>;
  /**
   * Lets go of a tenant's records up to and including this one, the earliest first, also when that takes several turns. Those that follow keep
   * their numbers, and numbers are not given again. Entries stay as they are.
   */
  trim(tenant: string, through: { throughSeq: number }): Promise<void>;
  /** Waits for what is under way, and lets go. */
  close(): Promise<void>;
}

/** Who runs which execution. An execution is open while the entry `keyOf("open", ID)` is there; its value has `{definition}`. */
export interface Ownerships {
  /** How long an execution stays its owner's without being renewed; absent where no other process can have the store. */
  readonly leaseMs?: number;
  /** Takes open executions that nobody owns any more and whose definition is among `known`; `undefined`: any. */
  claim(options: { known?: readonly string[]; limit: number }): Promise<readonly Claim[]>;
  /** Prolongs these; resolves with those that are lost. */
  renew(claims: readonly Claim[]): Promise<readonly Claim[]>;
  /** Hands these over at once. */
  release(claims: readonly Claim[]): Promise<void>;
}
