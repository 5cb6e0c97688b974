// A SQLite database as one end of a migration. It is read through the engine, like any other; what is written has its numbers, times
// and versions from elsewhere, and goes in with how far it has come in one transaction. Whoever calls it holds the store's lock.
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { keyOf, partsOf } from "../../core/key.ts";
import { messageOf, StoreError } from "../../errors.ts";
import {
  COPY_START,
  type CopiedRows,
  type CopyMark,
  type CopyPosition,
  positionOf,
  positionText,
  type RemovedRow,
  type StoreTarget,
  type TenantHead,
} from "../../ports/store-copy.ts";
import type { EntryRow, LogRow, StoreEngine } from "../../ports/store-engine.ts";
import {
  COPY_MARK,
  COPY_TABLES,
  INSERT_LOG,
  IS_COPY,
  logParameters,
  SEQ_MAX,
  TENANTS_MAX,
} from "./layout.ts";

const EXECUTIONS_REMEMBERED_MAX = 65_536;

export interface SqliteCopyOptions {
  url: string;
  /** Reads the same database, and closes it. */
  engine: StoreEngine;
}

export function sqliteCopy(database: DatabaseSync, options: SqliteCopyOptions): StoreTarget {
  return new SqliteCopy(database, options);
}

interface TenantColumns {
  id: number;
  name: string;
  last_seq: number;
  time_ms: number;
  version_floor: number;
  events: number;
}

class SqliteCopy implements StoreTarget {
  readonly url: string;
  readonly name: string;
  readonly #database: DatabaseSync;
  readonly #engine: StoreEngine;
  readonly #statements = new Map<string, StatementSync>();
  /** Numbers of executions, by tenant and name. */
  readonly #executions = new Map<string, number>();

  constructor(database: DatabaseSync, { url, engine }: SqliteCopyOptions) {
    this.url = url;
    this.name = engine.name;
    this.#database = database;
    this.#engine = engine;
  }

  /** Who has the lock is nobody else. */
  async user(): Promise<undefined> {}

  async heads(): Promise<readonly TenantHead[]> {
    return this.#do("read", () => {
      const found = this.#sql(
        `SELECT id, name, last_seq, time_ms, version_floor,
           (SELECT count(*) FROM log WHERE log.id > tenant.id * ${SEQ_MAX} AND log.id < (tenant.id + 1) * ${SEQ_MAX}) AS events
         FROM tenant`,
      ).all() as unknown as TenantColumns[];
      return found.map(({ name, last_seq, time_ms, version_floor, events }) => ({
        tenant: partsOf(name)[0] ?? "",
        events,
        lastSeq: last_seq,
        timeMs: time_ms,
        versionFloor: version_floor,
      }));
    });
  }

  async read<Step extends CopiedRows["step"]>(
    tenant: string,
    { step, after, limit }: { step: Step; after: string; limit: number },
  ): Promise<CopiedRows & { step: Step; after?: string }> {
    const page = this.#do("read", (): CopiedRows & { after?: string } => {
      if (step === "records") {
        const rows = this.#engine.log(tenant, { after: Number(after), limit });
        return { step, rows, ...followed(rows, { limit, by: ({ seq }) => seq }) };
      }
      if (step === "entries") {
        // No time is before what has expired.
        const rows = this.#engine.scan(tenant, { prefix: "", after, limit, timeMs: -1 });
        return { step, rows, ...followed(rows, { limit, by: ({ key }) => key }) };
      }
      const found = this.#sql(
        `SELECT removed.id, key, version FROM removed JOIN tenant ON tenant.id = removed.tenant
         WHERE tenant.name = ? AND removed.id > ? ORDER BY removed.id LIMIT ?`,
      ).all(keyOf(tenant), Number(after), limit) as unknown as (RemovedRow & { id: number })[];
      const rows = found.map(({ key, version }) => ({ key, version }));
      return { step: "removed", rows, ...followed(found, { limit, by: ({ id }) => id }) };
    });
    return page as CopiedRows & { step: Step; after?: string };
  }

  async mark(): Promise<CopyMark | undefined> {
    return this.#do("read", () => {
      if (!this.#sql(IS_COPY).get()) return undefined;
      const found = this.#sql(COPY_MARK).get() as { mark: string } | undefined;
      return found && (JSON.parse(found.mark) as CopyMark);
    });
  }

  async begin(mark: CopyMark): Promise<void> {
    // What is not on the disk when the machine crashes is copied again: only the end has to be durable, with all that was before it.
    this.#database.exec("PRAGMA synchronous = NORMAL");
    this.#write(() => {
      this.#database.exec(COPY_TABLES);
      this.#database.exec("DELETE FROM copy_mark");
      this.#sql("INSERT INTO copy_mark VALUES (?)").run(JSON.stringify(mark));
    });
  }

  async resume(tenant: string): Promise<CopyPosition> {
    const found = this.#do("read", () =>
      this.#sql(
        "SELECT position FROM copy_position JOIN tenant ON tenant.id = copy_position.tenant WHERE name = ?",
      ).get(keyOf(tenant)),
    ) as { position: string } | undefined;
    return found ? positionOf(found.position) : COPY_START;
  }

  async write(head: TenantHead, { to, rows }: Parameters<StoreTarget["write"]>[1]): Promise<void> {
    this.#write(() => {
      const id = this.#tenantId(head);
      if (rows.step === "records") this.#writeRecords(id, rows.rows);
      else if (rows.step === "entries") this.#writeEntries(id, rows.rows);
      else
        for (const { key, version } of rows.rows)
          this.#sql("INSERT INTO removed (tenant, key, version) VALUES (?, ?, ?)").run(id, key, version);
      this.#sql("INSERT OR REPLACE INTO copy_position VALUES (?, ?)").run(id, positionText(to));
    });
  }

  async clear(): Promise<void> {
    this.#executions.clear();
    this.#write(() => {
      for (const table of ["log", "execution", "entry", "removed", "tenant", "copy_position"])
        this.#database.exec(`DELETE FROM ${table}`);
    });
  }

  async finish(): Promise<void> {
    // A statement that is still there would hold the tables.
    this.#statements.clear();
    this.#database.exec("PRAGMA synchronous = FULL");
    this.#write(() => this.#database.exec("DROP TABLE copy_mark; DROP TABLE copy_position"));
  }

  async close(): Promise<void> {
    this.#engine.close();
  }

  #writeRecords(tenant: number, rows: readonly LogRow[]): void {
    const append = this.#sql(INSERT_LOG);
    for (const { payload, ...record } of rows) {
      const { seq, timeMs, execution: named } = record;
      const execution = named === undefined ? null : this.#executionId(tenant, named);
      append.run(...logParameters({ tenant, seq, timeMs, execution }, { record, payload }));
    }
  }

  #writeEntries(tenant: number, rows: readonly EntryRow[]): void {
    const put = this.#sql("INSERT INTO entry VALUES (?, ?, ?, ?, ?)");
    for (const { key, version, value, expiresAtMs } of rows)
      put.run(tenant, key, version, value, expiresAtMs ?? null);
  }

  #tenantId({ tenant, lastSeq, timeMs, versionFloor }: TenantHead): number {
    const name = keyOf(tenant);
    const found = this.#sql("SELECT id FROM tenant WHERE name = ?").get(name) as { id: number } | undefined;
    if (found) return found.id;
    const { id } = this.#sql("SELECT coalesce(max(id), 0) + 1 AS id FROM tenant").get() as { id: number };
    if (id >= TENANTS_MAX) throw new StoreError(`there are ${TENANTS_MAX} tenants`);
    this.#sql("INSERT INTO tenant VALUES (?, ?, ?, ?, ?)").run(id, name, lastSeq, timeMs, versionFloor);
    return id;
  }

  #executionId(tenant: number, name: string): number {
    const known = this.#executions.get(`${tenant} ${name}`);
    if (known !== undefined) return known;
    if (this.#executions.size >= EXECUTIONS_REMEMBERED_MAX) this.#executions.clear();
    this.#sql("INSERT OR IGNORE INTO execution (tenant, name) VALUES (?, ?)").run(tenant, name);
    const { id } = this.#sql("SELECT id FROM execution WHERE tenant = ? AND name = ?").get(tenant, name) as {
      id: number;
    };
    this.#executions.set(`${tenant} ${name}`, id);
    return id;
  }

  #sql(text: string): StatementSync {
    const known = this.#statements.get(text) ?? this.#database.prepare(text);
    this.#statements.set(text, known);
    return known;
  }

  #write(write: () => void): void {
    this.#do("write to", () => {
      this.#database.exec("BEGIN IMMEDIATE");
      write();
      this.#database.exec("COMMIT");
    });
  }

  /** What has failed in the middle is taken back when the database is closed, which is all that follows. */
  #do<T>(verb: string, act: () => T): T {
    try {
      return act();
    } catch (error) {
      throw new StoreError(`cannot ${verb} ${this.name}: ${messageOf(error)}`, { cause: error });
    }
  }
}

/** Where what follows begins; nothing at the end. */
function followed<Row>(
  rows: readonly Row[],
  { limit, by }: { limit: number; by: (row: Row) => number | string },
): { after?: string } {
  const last = rows.at(-1);
  return last !== undefined && rows.length === limit ? { after: String(by(last)) } : {};
}
