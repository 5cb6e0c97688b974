// From the URL of a store to the store: `sqlite:PATH` or `memory:`. Its lock is taken before its file is looked at, and let go of
// after the file is closed.
import process from "node:process";
import { resolvePath } from "../config/files.ts";
import { failpointOf } from "../drivers/failpoint.ts";
import type { SqliteFileOptions } from "../drivers/store-sqlite-file.ts";
import { messageOf, StoreError, UsageError } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";
import type { Failpoint } from "../ports/failpoint.ts";
import type { Ownerships, Store } from "../ports/store.ts";
import type { StoreEngine } from "../ports/store-engine.ts";

export interface OpenStoreOptions {
  clock: Clock;
  /** What a relative path is relative to. */
  cwd: string;
  /** Called once when nothing can be written any more: every later call rejects with the error. */
  onLost?: (error: StoreError) => void;
  /** A database that is not there is made. Default true. */
  create?: boolean;
  /** Reads all of the database first, to see whether it is sound; a start looks only at one that is not large. Default false. */
  thorough?: boolean;
  /** Default: what `HARAKA_FAILPOINT` says. */
  failpoint?: Failpoint;
  /** Calls `run` when a batch is to be written. Default: when timers and sockets have had their turn. */
  nextTurn?: ((run: () => void) => void) | undefined;
}

/** Throws `UsageError` for what is no URL of a store, and `StoreError` for one that cannot be had: held, corrupt, newer. */
export async function openStore(url: string, options: OpenStoreOptions): Promise<Store & Ownerships> {
  const { clock, onLost, nextTurn, failpoint = failpointOf(process.env["HARAKA_FAILPOINT"]) } = options;
  const engine = await openEngine(url, { ...options, failpoint });
  const { embeddedStore } = await import("../drivers/store-embedded.ts");
  try {
    return embeddedStore(engine, { clock, failpoint, onLost, nextTurn });
  } catch (error) {
    engine.close();
    throw error;
  }
}

async function openEngine(
  url: string,
  { cwd, failpoint, create = true, thorough = false }: OpenStoreOptions & { failpoint: Failpoint },
): Promise<StoreEngine> {
  const [, scheme, rest = ""] = /^([a-z]+):(.*)$/s.exec(url) ?? [];
  if (scheme === "memory" && rest === "") {
    const { memoryEngine } = await import("../drivers/store-memory.ts");
    return memoryEngine();
  }
  if (scheme !== "sqlite" || rest === "")
    throw new UsageError(
      `cannot open the store '${url}': it is sqlite:PATH, as sqlite:data/haraka.db, or memory:`,
    );
  return openSqlite(resolvePath(cwd, rest), { failpoint, create, thorough });
}

async function openSqlite(named: string, options: SqliteFileOptions): Promise<StoreEngine> {
  const { openSqliteFile, placeOf } = await import("../drivers/store-sqlite-file.ts");
  const { lockStore } = await import("../drivers/store-lock.ts");
  const { sqliteEngine } = await import("../drivers/store-sqlite.ts");
  const path = placeOf(named, options);
  const lock = lockStore(path);
  try {
    const database = openSqliteFile(path, options);
    try {
      return sqliteEngine(database, { path, onClosed: lock.release });
    } catch (error) {
      database.close();
      throw new StoreError(`cannot open the database ${path}: ${messageOf(error)}`, { cause: error });
    }
  } catch (error) {
    lock.release();
    throw error;
  }
}
