// What stands in a store, as figures and hashes, read through the port like any other reader: the same for every driver that keeps
// the same. It changes nothing, and yields between pages.
import process from "node:process";
import { canonicalJson } from "../core/canonical-json.ts";
import { BASE, throughSeqOf } from "../core/plane-base.ts";
import { type Entry, type LogRecord, type Store, SYSTEM_TENANT, WAL_TYPES } from "../ports/store.ts";

const PAGE = 1_000;

export interface TenantReport {
  tenant: string;
  /** What was before it is no longer kept, by `plane.retention`. */
  firstSeq: number;
  events: number;
  lastSeq: number;
  /** SHA-256 of its records, in order. */
  hash: string;
}

/** What is wrong with a record where it stands. */
export interface WalProblem {
  tenant: string;
  seq: number;
  message: string;
}

export interface WalReport {
  tenants: readonly TenantReport[];
  /** Empty if the log is sound. */
  problems: readonly WalProblem[];
}

/** Reads every record of every tenant. Rejects with `StoreError` for what cannot be read. */
export async function verifyWal(store: Store): Promise<WalReport> {
  const tenants: TenantReport[] = [];
  const problems: WalProblem[] = [];
  for (const { tenant, lastSeq } of await tenantsOf(store)) {
    const hash = sha256();
    const through = throughSeqOf((await store.get(tenant, [BASE]))[0]);
    // What had been folded may not have been let go of yet.
    const first = (await store.log(tenant, { after: 0, limit: 1 }))[0]?.seq ?? through + 1;
    const firstSeq = Math.min(first, through + 1);
    let [events, last] = [0, { seq: firstSeq - 1, timeMs: 0 }];
    for await (const record of recordsOf(store, tenant)) {
      for (const message of problemsOf(record, last)) problems.push({ tenant, seq: record.seq, message });
      events++;
      last = record;
      hash.update(`${canonicalJson(record)}\n`);
    }
    if (last.seq !== lastSeq)
      problems.push({ tenant, seq: lastSeq, message: `the last record there is has ${last.seq}` });
    tenants.push({ tenant, firstSeq, events, lastSeq, hash: hash.digest("hex") });
  }
  return { tenants, problems };
}

/** One hash of all records and entries of all tenants, as they are visible now, and how many records there are. */
export async function hashStore(store: Store): Promise<{ hash: string; events: number }> {
  const hash = stateHash();
  for (const { tenant } of await tenantsOf(store)) {
    hash.tenant(tenant);
    for await (const record of recordsOf(store, tenant)) hash.record(record);
    for await (const entry of entriesOf(store, tenant)) hash.entry(entry);
  }
  return hash.end();
}

/** That hash as it is made, whoever reads the store: its tenants, ascending, each with its records and then its entries. */
export function stateHash() {
  const hash = sha256();
  let events = 0;
  const take = (value: unknown): void => void hash.update(`${canonicalJson(value)}\n`);
  return {
    tenant: (tenant: string) => take({ tenant }),
    record(record: LogRecord): void {
      events++;
      take(record);
    },
    entry: (entry: Entry) => take(entry),
    end: () => ({ hash: hash.digest("hex"), events }),
  };
}

/** Without what belongs to none: that comes and goes with the runtimes. */
async function tenantsOf(store: Store) {
  return (await store.tenants()).filter(({ tenant }) => tenant !== SYSTEM_TENANT);
}

function sha256() {
  return process.getBuiltinModule("node:crypto").createHash("sha256");
}

async function* recordsOf(store: Store, tenant: string): AsyncGenerator<LogRecord> {
  for (let after = 0; ;) {
    const records = await store.log(tenant, { after, limit: PAGE });
    yield* records;
    const last = records.at(-1);
    if (!last) return;
    after = last.seq;
  }
}

async function* entriesOf(store: Store, tenant: string) {
  for (let after = ""; ;) {
    const { items, cursor } = await store.scan(tenant, { prefix: "", after, limit: PAGE });
    yield* items;
    if (cursor === undefined) return;
    after = cursor;
  }
}

const TYPES: ReadonlySet<string> = new Set(WAL_TYPES);

function problemsOf({ seq, timeMs, type }: LogRecord, last: { seq: number; timeMs: number }): string[] {
  const found: string[] = [];
  if (seq !== last.seq + 1) found.push(`it comes after ${last.seq}: there is a gap`);
  if (timeMs < last.timeMs) found.push(`its time is before that of the record before it`);
  if (!TYPES.has(type)) found.push(`its type '${type}' is unknown`);
  return found;
}
