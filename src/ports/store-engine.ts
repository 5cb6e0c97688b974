// Where an embedded store keeps its rows: in memory, or in a SQLite file. Everything happens at once and on one thread; what may
// be written, and when it counts, the store above it decides. Values are JSON text here, made before a batch begins, so that a
// batch never fails for what is in it.
import type { Entry, LogRecord, NewRecord } from "./store.ts";

export type NewLogRow = Omit<NewRecord, "payload"> & { payload: string };
export type LogRow = Omit<LogRecord, "payload" | "tenant"> & { payload: string };
export type EntryRow = Omit<Entry, "value"> & { value: string };
export type NewEntryRow = Omit<EntryRow, "version">;

export interface StoreEngine {
  /** For messages: `the store in memory`, `the database /data/haraka.db`. */
  readonly name: string;
  /** The latest time that was ever given to `begin`, as far as it is known; 0 for none. */
  readonly lastTimeMs: number;

  begin(timeMs: number): void;
  /** Everything since `begin` is durable when it returns. After it has thrown, nothing but `close` is called any more. */
  commit(): void;
  /** Returns the sequence number of the first. */
  append(tenant: string, rows: readonly NewLogRow[]): number;
  /** Returns its version. */
  put(tenant: string, row: NewEntryRow): number;
  remove(tenant: string, key: string): void;
  /** The earliest records, at most `limit` of them and none behind `throughSeq`; returns whether any were there. */
  trim(tenant: string, part: { throughSeq: number; limit: number }): boolean;

  /** 0 for a tenant that has none. */
  lastSeq(tenant: string): number;
  /** The version before the one that the next `put` gives; 0 for a key that never was. */
  lastVersion(tenant: string, key: string): number;
  /** What has expired is returned, too. */
  get(tenant: string, key: string): EntryRow | undefined;
  scan(tenant: string, query: ScanQuery): readonly EntryRow[];
  log(tenant: string, query: LogQuery): readonly LogRow[];
  /** A part of all tenants, in an order of its own; `next` leads to the part after it. */
  tenants(from: number): { tenants: readonly { tenant: string; lastSeq: number }[]; next?: number };
  /** Those that have expired by then, the earliest first. */
  expired(timeMs: number, limit: number): readonly { tenant: string; row: EntryRow }[];
  /** When the first of all entries expires, or did. */
  firstExpiryMs(): number | undefined;
  close(): void;
}

export interface ScanQuery {
  prefix: string;
  after?: string;
  limit: number;
  /** What has expired by then is left out. */
  timeMs: number;
}

export interface LogQuery {
  after: number;
  limit: number;
  execution?: string;
}
