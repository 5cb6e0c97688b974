// Whose a database is: one process's at a time, until it lets go or dies. The lock is an exclusive transaction on a SQLite file of
// its own, PATH.lock, which the kernel ends with its holder; PATH.holder says who that is. Neither the database nor the lock file
// is ever opened for a look: closing any descriptor of a file drops all locks that the process has on it.
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import process from "node:process";
import { messageOf, StoreError } from "../../errors.ts";

export interface StoreLock {
  release(): void;
}

interface Holder {
  pid: number;
  host: string;
  /** ISO 8601. */
  since: string;
}

/** Makes the folder if need be. Throws `StoreError`, naming the holder if there is one. `path` is that of the database, absolute. */
export function lockStore(path: string): StoreLock {
  const { dirname } = process.getBuiltinModule("node:path");
  const refuse = (reason: string, cause?: unknown) =>
    new StoreError(`cannot open the database ${path}: ${reason}`, { cause });
  let lock: { close(): void };
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    lock = exclusive(`${path}.lock`);
  } catch (error) {
    if (!isBusy(error)) throw refuse(`${reasonOf(error, dirname(path))} ${ELSEWHERE}`, error);
    throw refuse(
      `${inWords(readHolder(path))}; stop that one first, or give this one a database of its own`,
      error,
    );
  }
  try {
    writeHolder(path);
  } catch (error) {
    lock.close();
    throw refuse(`${reasonOf(error, dirname(path))} ${ELSEWHERE}`, error);
  }
  return {
    release() {
      // While it is still ours.
      rmSync(holderFile(path), { force: true });
      lock.close();
    },
  };
}

const ELSEWHERE = "or name another path with store.path, or another folder with HARAKA_DATA";

const holderFile = (path: string): string => `${path}.holder`;

function exclusive(file: string): { close(): void } {
  const { DatabaseSync } = process.getBuiltinModule("node:sqlite");
  // Whoever may open it could lock us out.
  const mask = process.umask(0o177);
  let database: import("node:sqlite").DatabaseSync;
  try {
    database = new DatabaseSync(file, { timeout: 0 });
  } finally {
    process.umask(mask);
  }
  try {
    // Nothing is ever written to it, so nothing has to be taken back.
    database.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

const isBusy = (error: unknown): boolean => /database is locked/.test(messageOf(error));

/** Whole or not at all: somebody may read it at any moment. */
function writeHolder(path: string): void {
  const { hostname } = process.getBuiltinModule("node:os");
  const holder: Holder = { pid: process.pid, host: hostname(), since: new Date().toISOString() };
  writeFileSync(`${holderFile(path)}.new`, `${JSON.stringify(holder)}\n`, { mode: 0o600 });
  renameSync(`${holderFile(path)}.new`, holderFile(path));
}

function readHolder(path: string): Holder | undefined {
  try {
    return JSON.parse(readFileSync(holderFile(path), "utf8")) as Holder;
  } catch {
    // It has locked it just now, or is about to let go.
    return undefined;
  }
}

function inWords(holder: Holder | undefined): string {
  if (!holder) return "another process holds it";
  const itself = holder.pid === process.pid ? ", this very process," : "";
  return `pid ${holder.pid} on host ${holder.host}${itself} holds it since ${holder.since}`;
}

function reasonOf(error: unknown, folder: string): string {
  const reason = messageOf(error);
  const isRefused = /EACCES|EPERM|EROFS|readonly|unable to open/i.test(reason);
  return isRefused
    ? `uid ${process.geteuid?.()} may not write in ${folder} (${reason}); chown or chmod it, mount a volume there,`
    : `${reason}; see to ${folder},`;
}
