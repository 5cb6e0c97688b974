// The SQLite file of a store: looked at before it is opened, made whole before it gets its name, brought to the newest schema, and
// opened so that a commit is on the disk when it returns. What cannot be used is refused with its bytes as they were. Whoever calls
// it holds the store's lock: nobody else has the file open.
import {
  closeSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  openSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
} from "node:fs";
import process from "node:process";
import type { DatabaseSync } from "node:sqlite";
import { mayNotWrite, messageOf, StoreError } from "../../errors.ts";
import type { Failpoint } from "../../ports/failpoint.ts";
import { type CopyMark, unfinishedText } from "../../ports/store-copy.ts";
import { COPY_MARK, IS_COPY } from "./layout.ts";

/** Older ones can corrupt a WAL. */
const SQLITE_OLDEST = [3, 51, 3] as const;

/** "HARA", in the header of every database of ours. */
const APPLICATION_ID = 0x4841_5241;

/** Beyond it a start does not read the whole file to see whether it is sound: at 1.4 ms a MiB that would take too long. */
const CHECKED_BYTES_MAX = 256 * 1024 * 1024;

/**
 * What leads from each version of the schema to the next. A record's `id` is its tenant's, times 2^33, plus its sequence number:
 * that makes a tenant's log one run of rows, in order, without an index.
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE schema_version (version INTEGER PRIMARY KEY, since TEXT NOT NULL);
  CREATE TABLE tenant (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
    last_seq INTEGER NOT NULL, time_ms INTEGER NOT NULL, version_floor INTEGER NOT NULL
  );
  CREATE TABLE execution (id INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, name TEXT NOT NULL, UNIQUE (tenant, name));
  CREATE TABLE log (
    id INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, type TEXT NOT NULL, event TEXT NOT NULL,
    session TEXT, execution INTEGER, saga TEXT, step TEXT, payload TEXT NOT NULL
  );
  CREATE INDEX log_execution ON log (execution) WHERE execution IS NOT NULL;
  CREATE TABLE entry (
    tenant INTEGER NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL, value TEXT NOT NULL, expires_ms INTEGER,
    PRIMARY KEY (tenant, key)
  ) WITHOUT ROWID;
  CREATE INDEX entry_expires ON entry (expires_ms) WHERE expires_ms IS NOT NULL;
  CREATE TABLE removed (
    id INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL, UNIQUE (tenant, key)
  );
  `,
];

export interface SqliteFileOptions {
  failpoint: Failpoint;
  /** A file that is not there is made. */
  create: boolean;
  /** Reads all of it, however large, to see whether it is sound. */
  thorough: boolean;
  /** Takes one that is the unfinished target of a migration, too, for whoever goes on with that. Default false. */
  unfinished?: boolean;
  migrations?: readonly string[];
}

/** `path` is absolute. Throws `StoreError`, naming it, and what to do. */
export function openSqliteFile(path: string, options: SqliteFileOptions): DatabaseSync {
  const whole = { migrations: MIGRATIONS, unfinished: false, ...options };
  try {
    refuseOldSqlite();
    if (!exists(path)) create(path, whole);
    else inspect(path, whole);
    return open(path, whole);
  } catch (error) {
    if (error instanceof StoreError) throw error;
    throw new StoreError(`cannot open the database ${path}: ${messageOf(error)}`, { cause: error });
  }
}

/**
 * The path that all names of that file lead to, so that it has one lock. Throws `StoreError` for what needs none to be refused: a
 * folder, or a file that is not there and is not to be made.
 */
export function placeOf(named: string, { create }: Pick<SqliteFileOptions, "create">): string {
  const found = look(named);
  if (!found) {
    // What it leads to may only not be mounted yet: nothing is begun anew in its place.
    if (isLink(named))
      throw refusal(named, "it is a link to what is not there; mount or make that, or remove the link");
    if (!create) throw refusal(named, "there is no such file");
    const { basename, dirname, join } = process.getBuiltinModule("node:path");
    return exists(dirname(named)) ? join(realpathSync(dirname(named)), basename(named)) : named;
  }
  if (!found.isFile())
    throw refusal(named, `it is a ${found.isDirectory() ? "folder" : "device"}; name a file`);
  return realpathSync(named);
}

const refusal = (path: string, reason: string): StoreError =>
  new StoreError(`cannot open the database ${path}: ${reason}`);

const AS_IT_WAS = "it is left as it was: put a backup in its place, or move it away to begin anew";

function sqlite(): typeof import("node:sqlite") {
  return process.getBuiltinModule("node:sqlite");
}

function refuseOldSqlite(): void {
  const database = new (sqlite().DatabaseSync)(":memory:");
  const { version } = database.prepare("SELECT sqlite_version() AS version").get() as { version: string };
  database.close();
  if (isOld(version))
    throw new StoreError(
      `cannot use SQLite ${version} of this runtime: before ${SQLITE_OLDEST.join(".")} it can corrupt a WAL; use a newer Bun, Deno or Node`,
    );
}

export function isOld(version: string): boolean {
  const parts = version.split(".").map(Number);
  const index = SQLITE_OLDEST.findIndex((part, at) => part !== (parts[at] ?? 0));
  return index >= 0 && (parts[index] ?? 0) < (SQLITE_OLDEST[index] ?? 0);
}

/** Throws `StoreError` where there is not even a way to it. */
function look(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    throw refusal(path, `${messageOf(error)}; name another path`);
  }
}

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Under another name until it is whole, so that an empty file of its name is nobody's beginning. */
function create(path: string, { create: may, failpoint, migrations }: Required<SqliteFileOptions>): void {
  if (!may) throw refusal(path, "there is no such file");
  if (exists(`${path}-wal`))
    throw refusal(
      path,
      `there is no such file, but its ${path}-wal is there; put the database back, or move that file away, too`,
    );
  const draft = `${path}.new`;
  for (const name of [draft, `${draft}-journal`]) rmSync(name, { force: true });
  closeSync(openSync(draft, "wx", 0o600));
  const database = new (sqlite().DatabaseSync)(draft);
  database.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
  migrate(database, { migrations, failpoint });
  database.close();
  failpoint("store-create");
  renameSync(draft, path);
  syncFolder(process.getBuiltinModule("node:path").dirname(path));
}

/** So that the name is there after the machine has crashed, too. Some file systems have no such thing. */
function syncFolder(folder: string): void {
  const descriptor = openSync(folder, "r");
  try {
    fsyncSync(descriptor);
  } catch {
    // It keeps names in its own way.
  } finally {
    closeSync(descriptor);
  }
}

/** Reads without writing. Only changed where no WAL is, so the header is the truth about the schema. */
function inspect(path: string, { migrations, thorough }: Required<SqliteFileOptions>): void {
  const newest = migrations.length;
  const { header, bytes } = readHeader(path);
  if (bytes === 0) throw refusal(path, `it is empty; ${AS_IT_WAS}`);
  if (header.toString("latin1", 0, 16) !== "SQLite format 3\0" || header.length < 100)
    throw refusal(path, `it is no SQLite database; ${AS_IT_WAS}`);
  const applicationId = header.readUInt32BE(68);
  if (applicationId !== APPLICATION_ID)
    throw refusal(path, "it is a SQLite database of another program; name a file of our own");
  const version = header.readUInt32BE(60);
  if (version > newest)
    throw refusal(
      path,
      `its schema has version ${version}, and this program knows ${newest}; use the newer version that made it (the file is left as it was)`,
    );
  // A migration that was cut off is taken back by opening the file; until then nothing else can be said.
  if (exists(`${path}-journal`)) return;
  const pageBytes = header.readUInt16BE(16) === 1 ? 65_536 : header.readUInt16BE(16);
  const expected = pageBytes * header.readUInt32BE(28);
  // With a WAL, what is missing may stand there.
  if (bytes < expected && !exists(`${path}-wal`))
    throw refusal(path, `it is cut off: ${bytes} of ${expected} bytes are there; ${AS_IT_WAS}`);
  if (thorough) refuseCorrupt(path, "integrity_check");
  else if (bytes <= CHECKED_BYTES_MAX) refuseCorrupt(path, "quick_check");
}

function readHeader(path: string): { header: Buffer; bytes: number } {
  const descriptor = openWritable(path);
  try {
    const header = Buffer.alloc(100);
    const read = readSync(descriptor, header, 0, header.length, 0);
    return { header: header.subarray(0, read), bytes: fstatSync(descriptor).size };
  } finally {
    closeSync(descriptor);
  }
}

function openWritable(path: string): number {
  try {
    return openSync(path, "r+");
  } catch (error) {
    const reason = mayNotWrite("it", { uid: process.geteuid?.(), owner: statSync(path) });
    throw refusal(path, `${reason} (${messageOf(error)})`);
  }
}

/** Through a connection that cannot write: not even its end moves the WAL into the file. */
function refuseCorrupt(path: string, check: "quick_check" | "integrity_check"): void {
  const made = [`${path}-wal`, `${path}-shm`].filter((name) => !exists(name));
  const database = new (sqlite().DatabaseSync)(path, { readOnly: true, timeout: 0 });
  let found: string;
  try {
    found = String(Object.values(database.prepare(`PRAGMA ${check}(1)`).get() ?? {})[0]);
  } catch (error) {
    found = messageOf(error);
    if (!saysCorrupt(error)) {
      throw refusal(
        path,
        `it cannot be read (${found}); it is left as it was: see to the disk, which may be full, and to who else has it open`,
      );
    }
  } finally {
    database.close();
    // It makes them to read, and leaves them.
    for (const name of made) rmSync(name, { force: true });
  }
  if (found !== "ok") throw refusal(path, `it is corrupt (${found.replaceAll("\n", " ")}); ${AS_IT_WAS}`);
}

/** SQLITE_CORRUPT or SQLITE_NOTADB. That a disk is full says nothing about what is on it. */
function saysCorrupt(error: unknown): boolean {
  const { errcode } = error as { errcode?: number };
  return errcode === undefined || [11, 26].includes(errcode & 0xff);
}

function open(
  path: string,
  { migrations, failpoint, unfinished }: Required<SqliteFileOptions>,
): DatabaseSync {
  const database = new (sqlite().DatabaseSync)(path, { timeout: 0 });
  try {
    // Nobody else's, not even to read: that also keeps the WAL's index in memory instead of a file.
    database.exec("PRAGMA locking_mode = EXCLUSIVE");
    if (versionOf(database) < migrations.length) {
      database.exec("PRAGMA journal_mode = DELETE");
      migrate(database, { migrations, failpoint });
    }
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY");
    // 16 MiB: pages that every batch touches are copied less often, and fewer than one batch in a hundred waits for it.
    database.exec("PRAGMA wal_autocheckpoint = 4000");
    database.exec("PRAGMA cache_size = -8000; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON");
    if (!unfinished) refuseUnfinished(database, path);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function refuseUnfinished(database: DatabaseSync, path: string): void {
  if (!database.prepare(IS_COPY).get()) return;
  const { mark } = database.prepare(COPY_MARK).get() as { mark: string };
  throw refusal(path, unfinishedText(JSON.parse(mark) as CopyMark));
}

function versionOf(database: DatabaseSync): number {
  return Number(Object.values(database.prepare("PRAGMA user_version").get() ?? {})[0]);
}

/** One step at a time, each whole or not at all; without a WAL, so that the header changes with it. */
function migrate(
  database: DatabaseSync,
  { migrations, failpoint }: { migrations: readonly string[]; failpoint: Failpoint },
): void {
  database.exec("PRAGMA synchronous = FULL");
  for (let version = versionOf(database) + 1; version <= migrations.length; version++) {
    database.exec("BEGIN IMMEDIATE");
    database.exec(migrations[version - 1] ?? "");
    database.prepare("INSERT INTO schema_version VALUES (?, ?)").run(version, new Date().toISOString());
    database.exec(`PRAGMA user_version = ${version}`);
    failpoint("store-migrate");
    database.exec("COMMIT");
  }
}
