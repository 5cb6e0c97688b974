// The rows of a store in the memory of this process: for tests and the edge, and gone with the process. Only who names it gets it;
// nothing falls back to it.
import type {
  EntryRow,
  LogQuery,
  LogRow,
  NewEntryRow,
  NewLogRow,
  ScanQuery,
  StoreEngine,
} from "../ports/store-engine.ts";

/** Beyond it the versions of removed keys are forgotten, and the tenant's new keys begin above them all. */
const REMOVED_MAX = 65_536;

export interface MemoryEngineOptions {
  removedMax?: number;
}

export function memoryEngine(options: MemoryEngineOptions = {}): StoreEngine {
  return new MemoryEngine(options);
}

interface Tenant {
  /** So many of its first records are gone. */
  trimmed: number;
  rows: LogRow[];
  byExecution: Map<string, LogRow[]>;
  entries: Map<string, EntryRow>;
  /** Keys of `entries`, ascending; absent when one came or went since. */
  sorted?: readonly string[] | undefined;
  removed: Map<string, number>;
  versionFloor: number;
}

class MemoryEngine implements StoreEngine {
  readonly name = "the store in memory";
  lastTimeMs = 0;
  readonly #tenants = new Map<string, Tenant>();
  readonly #removedMax: number;

  constructor({ removedMax = REMOVED_MAX }: MemoryEngineOptions) {
    this.#removedMax = removedMax;
  }

  begin(timeMs: number): void {
    this.lastTimeMs = timeMs;
  }

  commit(): void {}

  append(name: string, newRows: readonly NewLogRow[]): number {
    const { rows, byExecution, trimmed } = this.#writable(name);
    const firstSeq = trimmed + rows.length + 1;
    for (const row of newRows) {
      const logged = { ...row, seq: trimmed + rows.length + 1, timeMs: this.lastTimeMs };
      rows.push(logged);
      if (row.execution === undefined) continue;
      const ofExecution = byExecution.get(row.execution);
      if (ofExecution) ofExecution.push(logged);
      else byExecution.set(row.execution, [logged]);
    }
    return firstSeq;
  }

  put(name: string, row: NewEntryRow): number {
    const tenant = this.#writable(name);
    const { key } = row;
    const before = tenant.entries.get(key);
    if (!before) tenant.sorted = undefined;
    const version = lastVersionIn(tenant, key) + 1;
    tenant.removed.delete(key);
    tenant.entries.set(key, { ...row, version });
    return version;
  }

  remove(name: string, key: string): void {
    const tenant = this.#tenants.get(name);
    const row = tenant?.entries.get(key);
    if (!tenant || !row) return;
    tenant.entries.delete(key);
    tenant.sorted = undefined;
    tenant.removed.set(key, row.version);
    if (tenant.removed.size <= this.#removedMax) return;
    for (const version of tenant.removed.values())
      tenant.versionFloor = Math.max(tenant.versionFloor, version);
    tenant.removed.clear();
  }

  trim(name: string, { throughSeq, limit }: { throughSeq: number; limit: number }): boolean {
    const tenant = this.#tenants.get(name);
    if (!tenant) return false;
    const gone = tenant.rows.splice(0, Math.min(limit, Math.max(0, throughSeq - tenant.trimmed)));
    tenant.trimmed += gone.length;
    for (const execution of new Set(gone.map((row) => row.execution ?? ""))) {
      const left = tenant.byExecution.get(execution)?.filter(({ seq }) => seq > tenant.trimmed) ?? [];
      if (left.length === 0) tenant.byExecution.delete(execution);
      else tenant.byExecution.set(execution, left);
    }
    return gone.length > 0;
  }

  lastSeq(name: string): number {
    const tenant = this.#tenants.get(name);
    return tenant ? lastSeqOf(tenant) : 0;
  }

  lastVersion(name: string, key: string): number {
    const tenant = this.#tenants.get(name);
    return tenant ? lastVersionIn(tenant, key) : 0;
  }

  get(name: string, key: string): EntryRow | undefined {
    return this.#tenants.get(name)?.entries.get(key);
  }

  scan(name: string, { prefix, after = "", limit, timeMs }: ScanQuery): readonly EntryRow[] {
    const tenant = this.#tenants.get(name);
    const found: EntryRow[] = [];
    if (!tenant) return found;
    const sorted = (tenant.sorted ??= [...tenant.entries.keys()].toSorted());
    for (let index = lowerBound(sorted, prefix > after ? prefix : after); index < sorted.length; index++) {
      const key = sorted[index] ?? "";
      if (found.length >= limit || !key.startsWith(prefix)) break;
      const row = tenant.entries.get(key);
      if (row && key !== after && (row.expiresAtMs ?? Infinity) > timeMs) found.push(row);
    }
    return found;
  }

  log(name: string, { after, limit, execution }: LogQuery): readonly LogRow[] {
    const tenant = this.#tenants.get(name);
    if (execution === undefined) {
      const from = Math.max(0, after - (tenant?.trimmed ?? 0));
      return tenant?.rows.slice(from, from + limit) ?? [];
    }
    const rows = tenant?.byExecution.get(execution) ?? [];
    return rows.filter(({ seq }) => seq > after).slice(0, limit);
  }

  tenants(): ReturnType<StoreEngine["tenants"]> {
    return {
      tenants: [...this.#tenants].map(([name, tenant]) => ({ tenant: name, lastSeq: lastSeqOf(tenant) })),
    };
  }

  expired(timeMs: number, limit: number): readonly { tenant: string; row: EntryRow }[] {
    return [...this.#tenants]
      .flatMap(([tenant, { entries }]) => [...entries.values()].map((row) => ({ tenant, row })))
      .filter(({ row }) => (row.expiresAtMs ?? Infinity) <= timeMs)
      .toSorted((a, b) => (a.row.expiresAtMs ?? 0) - (b.row.expiresAtMs ?? 0))
      .slice(0, limit);
  }

  firstExpiryMs(): number | undefined {
    let firstMs = Infinity;
    for (const { entries } of this.#tenants.values())
      for (const { expiresAtMs = Infinity } of entries.values()) firstMs = Math.min(firstMs, expiresAtMs);
    return firstMs === Infinity ? undefined : firstMs;
  }

  close(): void {}

  #writable(name: string): Tenant {
    const existing = this.#tenants.get(name);
    if (existing) return existing;
    const tenant: Tenant = {
      trimmed: 0,
      rows: [],
      byExecution: new Map(),
      entries: new Map(),
      removed: new Map(),
      versionFloor: 0,
    };
    this.#tenants.set(name, tenant);
    return tenant;
  }
}

const lastSeqOf = ({ trimmed, rows }: Tenant): number => trimmed + rows.length;

const lastVersionIn = ({ entries, removed, versionFloor }: Tenant, key: string): number =>
  entries.get(key)?.version ?? removed.get(key) ?? versionFloor;

/** The first index whose key is not below. */
function lowerBound(sorted: readonly string[], key: string): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? "") < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
