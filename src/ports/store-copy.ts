// How a store is copied to another one, row by row, with everything that a commit would give anew: numbers, times and versions. What is
// copied, and in what order, is the migration's to say; a driver reads and writes, and keeps beside its rows how far they have come.
// Nobody else uses either store meanwhile.
import type { EntryRow, LogRow } from "./store-engine.ts";

export interface TenantHead {
  tenant: string;
  /** So many records are kept. */
  events: number;
  /** Of the last record there ever was; 0 for none. */
  lastSeq: number;
  /** When it was written to last, by the store's clock. */
  timeMs: number;
  /** New keys begin above it. */
  versionFloor: number;
}

/** The version of a key that was removed. */
export interface RemovedRow {
  key: string;
  version: number;
}

export type CopiedRows =
  | { step: "records"; rows: readonly LogRow[] }
  /** With those that have expired. */
  | { step: "entries"; rows: readonly EntryRow[] }
  | { step: "removed"; rows: readonly RemovedRow[] };

/** How far a tenant has come: behind what, of what is copied in this order. */
export interface CopyPosition {
  step: CopiedRows["step"] | "done";
  /** Empty: from the beginning. Otherwise of the source's making. */
  after: string;
}

/** Stands in a store from before its first row is copied until all are there. */
export interface CopyMark {
  /** The URL of where it is copied from. */
  from: string;
  /** Of this store itself. */
  to: string;
  /** Says whether the source is still what it was. */
  print: string;
}

/** All methods reject with `StoreError` for a store that cannot be had any more. */
export interface StoreSource {
  /** Its URL, without what must not be seen. */
  readonly url: string;
  /** For messages: `the database /data/haraka.db`. */
  readonly name: string;
  /** Who uses it, as far as that can be told; `undefined`: nobody. */
  user(): Promise<string | undefined>;
  /** Of all tenants that have anything, in no order. */
  heads(): Promise<readonly TenantHead[]>;
  /** What follows that position, of one kind; `after` leads to what follows, and is absent at the end. */
  read<Step extends CopiedRows["step"]>(
    tenant: string,
    from: { step: Step; after: string; limit: number },
  ): Promise<CopiedRows & { step: Step; after?: string }>;
  close(): Promise<void>;
}

export interface StoreTarget extends StoreSource {
  mark(): Promise<CopyMark | undefined>;
  /** Sets the mark, or another one. */
  begin(mark: CopyMark): Promise<void>;
  /** From now on only what this process writes of that tenant counts. Resolves with how far it has come. */
  resume(tenant: string): Promise<CopyPosition>;
  /** All of it, with how far it has come then, or nothing. */
  write(head: TenantHead, part: { from: CopyPosition; to: CopyPosition; rows: CopiedRows }): Promise<void>;
  /** Takes everything out but the mark. */
  clear(): Promise<void>;
  /** Takes the mark away: it is a store like any other. */
  finish(): Promise<void>;
}

/** Where every tenant begins. */
export const COPY_START: CopyPosition = { step: "records", after: "" };

/** As it is kept beside the rows. */
export const positionText = ({ step, after }: CopyPosition): string => `${step} ${after}`;

export function positionOf(text: string): CopyPosition {
  const end = text.indexOf(" ");
  return { step: text.slice(0, end) as CopyPosition["step"], after: text.slice(end + 1) };
}

/** Why nobody may use a store in which that mark stands. */
export function unfinishedText({ from, to }: CopyMark): string {
  return `it is the unfinished target of a migration; finish it with: haraka store migrate --from '${from}' --to '${to}'`;
}
