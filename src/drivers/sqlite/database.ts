// A SQLite file with its lock and the engine on it. The lock is taken before the file is looked at, and let go of after it is closed.
import type { DatabaseSync } from "node:sqlite";
import { messageOf, StoreError } from "../../errors.ts";
import type { StoreEngine } from "../../ports/store-engine.ts";
import { sqliteEngine } from "./engine.ts";
import { openSqliteFile, placeOf, type SqliteFileOptions } from "./file.ts";
import { lockStore } from "./lock.ts";

export interface OpenDatabase {
  /** Where it really is. */
  path: string;
  database: DatabaseSync;
  /** Closes the database, and lets go of the lock. */
  engine: StoreEngine;
}

/** `named` is absolute. Throws `StoreError` for one that cannot be had: held, corrupt, newer. */
export function openDatabase(named: string, options: SqliteFileOptions): OpenDatabase {
  const path = placeOf(named, options);
  const lock = lockStore(path);
  try {
    const database = openSqliteFile(path, options);
    try {
      return { path, database, engine: sqliteEngine(database, { path, onClosed: lock.release }) };
    } catch (error) {
      database.close();
      throw new StoreError(`cannot open the database ${path}: ${messageOf(error)}`, { cause: error });
    }
  } catch (error) {
    lock.release();
    throw error;
  }
}
