// The rows of a store in an open SQLite database, by prepared statements on its one connection. Tenants and executions are numbers
// there, so that what is written together lies together and a batch touches few pages. It opens, locks and migrates nothing.
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { keyOf, LAST, partsOf } from "../../core/key.ts";
import { StoreError } from "../../errors.ts";
import type {
  EntryRow,
  LogQuery,
  LogRow,
  NewEntryRow,
  NewLogRow,
  ScanQuery,
  StoreEngine,
} from "../../ports/store-engine.ts";
import type { WalType } from "../../ports/store.ts";
import { INSERT_LOG, logParameters, SEQ_MAX, TENANTS_MAX } from "./layout.ts";

/** Beyond it the oldest are forgotten, and their tenants' new keys begin above them. */
const REMOVED_MAX = 65_536;
const FORGOTTEN_AT_ONCE = 256;
const EXECUTIONS_REMEMBERED_MAX = 65_536;
const TENANTS_AT_ONCE = 1_000;

export interface SqliteEngineOptions {
  /** Of the file, for messages. */
  path: string;
  /** The database is closed, or was as good as closed. */
  onClosed?: () => void;
  removedMax?: number;
}

/** Takes the database over: `close` closes it. */
export function sqliteEngine(database: DatabaseSync, options: SqliteEngineOptions): StoreEngine {
  return new SqliteEngine(database, options);
}

interface Tenant {
  id: number;
  name: string;
  lastSeq: number;
  /** Something of it has been written in this batch. */
  touched: boolean;
  /** New keys begin above it; absent: not known any more. */
  versionFloor?: number | undefined;
  /** Numbers of its executions, as far as they are remembered. */
  executions: Map<string, number>;
}

interface LogColumns {
  id: number;
  time_ms: number;
  type: string;
  event: string;
  session: string | null;
  execution: string | null;
  saga: string | null;
  step: string | null;
  payload: string;
}

interface EntryColumns {
  key: string;
  version: number;
  value: string;
  expires_ms: number | null;
}

const LOG_COLUMNS =
  "log.id, time_ms, type, event, session, execution.name AS execution, saga, step, payload FROM log LEFT JOIN execution ON execution.id = log.execution";

function prepareAll(database: DatabaseSync) {
  const prepare = (sql: string): StatementSync => database.prepare(sql);
  return {
    begin: prepare("BEGIN IMMEDIATE"),
    commit: prepare("COMMIT"),
    tenant: prepare("SELECT id, last_seq FROM tenant WHERE name = ?"),
    addTenant: prepare("INSERT INTO tenant VALUES (?, ?, 0, ?, 0)"),
    touchTenant: prepare("UPDATE tenant SET last_seq = ?, time_ms = ? WHERE id = ?"),
    tenants: prepare("SELECT id, name, last_seq FROM tenant WHERE id > ? ORDER BY id LIMIT ?"),
    execution: prepare("SELECT id FROM execution WHERE tenant = ? AND name = ?"),
    addExecution: prepare("INSERT INTO execution VALUES (?, ?, ?)"),
    append: prepare(INSERT_LOG),
    log: prepare(`SELECT ${LOG_COLUMNS} WHERE log.id > ? AND log.id <= ? ORDER BY log.id LIMIT ?`),
    logOfExecution: prepare(
      `SELECT ${LOG_COLUMNS} WHERE log.execution = ? AND log.id > ? AND log.id <= ? ORDER BY log.id LIMIT ?`,
    ),
    firstOfLog: prepare("SELECT min(id) AS id FROM log WHERE id > ? AND id <= ?"),
    trimExecutions: prepare(
      `DELETE FROM execution WHERE id IN (SELECT execution FROM log WHERE id BETWEEN ?1 AND ?2)
       AND NOT EXISTS (SELECT 1 FROM log WHERE log.execution = execution.id AND log.id > ?2)`,
    ),
    trim: prepare("DELETE FROM log WHERE id BETWEEN ? AND ?"),
    entry: prepare("SELECT key, version, value, expires_ms FROM entry WHERE tenant = ? AND key = ?"),
    version: prepare("SELECT version FROM entry WHERE tenant = ? AND key = ?"),
    put: prepare("INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?, ?)"),
    remove: prepare("DELETE FROM entry WHERE tenant = ? AND key = ?"),
    scan: prepare(
      `SELECT key, version, value, expires_ms FROM entry
       WHERE tenant = ? AND key >= ? AND key > ? AND key < ? AND (expires_ms IS NULL OR expires_ms > ?)
       ORDER BY key LIMIT ?`,
    ),
    expired: prepare(
      `SELECT name, key, version, value, expires_ms FROM entry JOIN tenant ON tenant.id = entry.tenant
       WHERE expires_ms <= ? ORDER BY expires_ms LIMIT ?`,
    ),
    firstExpiry: prepare("SELECT min(expires_ms) AS at FROM entry WHERE expires_ms IS NOT NULL"),
    removed: prepare("SELECT version FROM removed WHERE tenant = ? AND key = ?"),
    addRemoved: prepare("INSERT INTO removed (tenant, key, version) VALUES (?, ?, ?)"),
    dropRemoved: prepare("DELETE FROM removed WHERE tenant = ? AND key = ?"),
    floor: prepare("SELECT version_floor AS version FROM tenant WHERE id = ?"),
    oldestRemoved: prepare("SELECT max(id) AS id FROM (SELECT id FROM removed ORDER BY id LIMIT ?)"),
    raiseFloors: prepare(
      `UPDATE tenant SET version_floor = max(version_floor, (SELECT max(version) FROM removed WHERE tenant = tenant.id AND id <= ?1))
       WHERE id IN (SELECT tenant FROM removed WHERE id <= ?1)`,
    ),
    forgetRemoved: prepare("DELETE FROM removed WHERE id <= ?"),
  };
}

class SqliteEngine implements StoreEngine {
  readonly name: string;
  lastTimeMs: number;
  readonly #database: DatabaseSync;
  readonly #sql: ReturnType<typeof prepareAll>;
  readonly #onClosed: (() => void) | undefined;
  readonly #removedMax: number;
  readonly #tenants = new Map<string, Tenant>();
  #touched: Tenant[] = [];
  /** So many are remembered, of all tenants. */
  #executionsCount = 0;
  #tenantsLast: number;
  #executionsLast: number;
  #removedCount: number;

  constructor(database: DatabaseSync, { path, onClosed, removedMax = REMOVED_MAX }: SqliteEngineOptions) {
    this.#onClosed = onClosed;
    this.name = `the database ${path}`;
    this.#database = database;
    this.#sql = prepareAll(database);
    this.#removedMax = removedMax;
    this.lastTimeMs = this.#number("SELECT coalesce(max(time_ms), 0) FROM tenant");
    this.#tenantsLast = this.#number("SELECT coalesce(max(id), 0) FROM tenant");
    this.#executionsLast = this.#number("SELECT coalesce(max(id), 0) FROM execution");
    this.#removedCount = this.#number("SELECT count(*) FROM removed");
  }

  begin(timeMs: number): void {
    this.lastTimeMs = timeMs;
    this.#sql.begin.run();
  }

  commit(): void {
    for (const tenant of this.#touched) {
      this.#sql.touchTenant.run(tenant.lastSeq, this.lastTimeMs, tenant.id);
      tenant.touched = false;
    }
    this.#touched = [];
    if (this.#removedCount > this.#removedMax) this.#forgetOldest();
    this.#sql.commit.run();
  }

  append(name: string, rows: readonly NewLogRow[]): number {
    const tenant = this.#writable(name);
    const firstSeq = tenant.lastSeq + 1;
    if (firstSeq + rows.length > SEQ_MAX) throw new StoreError(`tenant ${name} has ${SEQ_MAX} records`);
    for (const row of rows) {
      const { execution: named } = row.record;
      const execution = named === undefined ? null : this.#executionId(tenant, named);
      const place = { tenant: tenant.id, seq: ++tenant.lastSeq, timeMs: this.lastTimeMs, execution };
      this.#sql.append.run(...logParameters(place, row));
    }
    return firstSeq;
  }

  put(name: string, { key, value, expiresAtMs }: NewEntryRow): number {
    const tenant = this.#writable(name);
    const present = versionIn(this.#sql.version.get(tenant.id, key));
    const version = (present ?? this.#absentVersion(tenant, key)) + 1;
    if (present === undefined && this.#removedCount > 0)
      this.#removedCount -= Number(this.#sql.dropRemoved.run(tenant.id, key).changes);
    this.#sql.put.run(tenant.id, key, version, value, expiresAtMs ?? null);
    return version;
  }

  remove(name: string, key: string): void {
    const tenant = this.#tenant(name);
    const version = tenant && versionIn(this.#sql.version.get(tenant.id, key));
    if (!tenant || version === undefined) return;
    this.#touch(tenant);
    this.#sql.remove.run(tenant.id, key);
    this.#sql.addRemoved.run(tenant.id, key, version);
    this.#removedCount++;
  }

  trim(name: string, { throughSeq, limit }: { throughSeq: number; limit: number }): boolean {
    const tenant = this.#tenant(name);
    if (!tenant) return false;
    const base = tenant.id * SEQ_MAX;
    const last = base + Math.min(throughSeq, tenant.lastSeq);
    const { id: first } = this.#sql.firstOfLog.get(base, last) as { id: number | null };
    if (first === null) return false;
    const range = [first, Math.min(last, first + limit - 1)] as const;
    this.#sql.trimExecutions.run(...range);
    this.#sql.trim.run(...range);
    this.#forgetExecutions();
    return true;
  }

  lastSeq(name: string): number {
    return this.#tenant(name)?.lastSeq ?? 0;
  }

  lastVersion(name: string, key: string): number {
    const tenant = this.#tenant(name);
    if (!tenant) return 0;
    return versionIn(this.#sql.version.get(tenant.id, key)) ?? this.#absentVersion(tenant, key);
  }

  get(name: string, key: string): EntryRow | undefined {
    const tenant = this.#tenant(name);
    const columns = tenant && (this.#sql.entry.get(tenant.id, key) as EntryColumns | undefined);
    return columns && entryRow(columns);
  }

  scan(name: string, { prefix, after = "", limit, timeMs }: ScanQuery): readonly EntryRow[] {
    const tenant = this.#tenant(name);
    if (!tenant) return [];
    const found = this.#sql.scan.all(tenant.id, prefix, after, prefix + LAST, timeMs, limit);
    return (found as unknown as EntryColumns[]).map(entryRow);
  }

  log(name: string, { after, limit, execution }: LogQuery): readonly LogRow[] {
    const tenant = this.#tenant(name);
    if (!tenant) return [];
    const base = tenant.id * SEQ_MAX;
    const range = [base + after, base + SEQ_MAX - 1, limit] as const;
    const rows = (found: unknown): LogRow[] => (found as LogColumns[]).map(logRow);
    if (execution === undefined) return rows(this.#sql.log.all(...range));
    const id = this.#knownExecution(tenant, execution);
    return id === undefined ? [] : rows(this.#sql.logOfExecution.all(id, ...range));
  }

  tenants(from: number): ReturnType<StoreEngine["tenants"]> {
    const found = this.#sql.tenants.all(from, TENANTS_AT_ONCE) as {
      id: number;
      name: string;
      last_seq: number;
    }[];
    const tenants = found.map(({ name, last_seq }) => ({ tenant: nameOf(name), lastSeq: last_seq }));
    const last = found.at(-1);
    return found.length < TENANTS_AT_ONCE || !last ? { tenants } : { tenants, next: last.id };
  }

  expired(timeMs: number, limit: number): readonly { tenant: string; row: EntryRow }[] {
    const found = this.#sql.expired.all(timeMs, limit) as unknown as (EntryColumns & { name: string })[];
    return found.map(({ name, ...columns }) => ({ tenant: nameOf(name), row: entryRow(columns) }));
  }

  firstExpiryMs(): number | undefined {
    return (this.#sql.firstExpiry.get() as { at: number | null }).at ?? undefined;
  }

  close(): void {
    try {
      this.#database.close();
    } finally {
      this.#onClosed?.();
    }
  }

  #tenant(name: string): Tenant | undefined {
    const cached = this.#tenants.get(name);
    if (cached) return cached;
    const found = this.#sql.tenant.get(keyOf(name)) as { id: number; last_seq: number } | undefined;
    if (!found) return undefined;
    const tenant = { id: found.id, name, lastSeq: found.last_seq, touched: false, executions: new Map() };
    this.#tenants.set(name, tenant);
    return tenant;
  }

  #writable(name: string): Tenant {
    const tenant = this.#tenant(name) ?? this.#addTenant(name);
    this.#touch(tenant);
    return tenant;
  }

  #touch(tenant: Tenant): void {
    if (tenant.touched) return;
    tenant.touched = true;
    this.#touched.push(tenant);
  }

  #addTenant(name: string): Tenant {
    const id = this.#tenantsLast + 1;
    if (id >= TENANTS_MAX) throw new StoreError(`there are ${TENANTS_MAX} tenants`);
    this.#sql.addTenant.run(id, keyOf(name), this.lastTimeMs);
    this.#tenantsLast = id;
    const tenant = { id, name, lastSeq: 0, touched: false, executions: new Map() };
    this.#tenants.set(name, tenant);
    return tenant;
  }

  #executionId(tenant: Tenant, name: string): number {
    const known = this.#knownExecution(tenant, name);
    if (known !== undefined) return known;
    const id = ++this.#executionsLast;
    this.#sql.addExecution.run(id, tenant.id, name);
    this.#remember(tenant, name, id);
    return id;
  }

  #knownExecution(tenant: Tenant, name: string): number | undefined {
    const cached = tenant.executions.get(name);
    if (cached !== undefined) return cached;
    const found = this.#sql.execution.get(tenant.id, name) as { id: number } | undefined;
    if (!found) return undefined;
    this.#remember(tenant, name, found.id);
    return found.id;
  }

  #remember(tenant: Tenant, name: string, id: number): void {
    if (this.#executionsCount >= EXECUTIONS_REMEMBERED_MAX) this.#forgetExecutions();
    tenant.executions.set(name, id);
    this.#executionsCount++;
  }

  #forgetExecutions(): void {
    for (const { executions } of this.#tenants.values()) executions.clear();
    this.#executionsCount = 0;
  }

  /** Of a key that is not there: below any that could be asked for of what it was. */
  #absentVersion(tenant: Tenant, key: string): number {
    const version = this.#removedCount > 0 ? versionIn(this.#sql.removed.get(tenant.id, key)) : undefined;
    return version ?? (tenant.versionFloor ??= versionIn(this.#sql.floor.get(tenant.id)) ?? 0);
  }

  #forgetOldest(): void {
    const { id } = this.#sql.oldestRemoved.get(FORGOTTEN_AT_ONCE) as { id: number };
    this.#sql.raiseFloors.run(id);
    for (const tenant of this.#tenants.values()) tenant.versionFloor = undefined;
    this.#removedCount -= Number(this.#sql.forgetRemoved.run(id).changes);
  }

  #number(sql: string): number {
    return Number(Object.values(this.#database.prepare(sql).get() ?? {})[0]);
  }
}

/** Tenants are kept as keys are: Deno reads text only up to a NUL. */
const nameOf = (key: string): string => partsOf(key)[0] ?? "";

const versionIn = (row: unknown): number | undefined => (row as { version: number } | undefined)?.version;

function entryRow({ key, version, value, expires_ms }: EntryColumns): EntryRow {
  return { key, version, value, ...(expires_ms !== null && { expiresAtMs: expires_ms }) };
}

function logRow({ id, time_ms, type, event, session, execution, saga, step, payload }: LogColumns): LogRow {
  return {
    seq: id % SEQ_MAX,
    id: event,
    type: type as WalType,
    timeMs: time_ms,
    ...(session !== null && { session }),
    ...(execution !== null && { execution }),
    ...(saga !== null && { saga }),
    ...(step !== null && { step }),
    payload,
  };
}
