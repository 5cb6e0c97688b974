// From the URL of a store to the store: `sqlite:PATH`, `memory:` or `redis://…`. A file's lock is taken before it is looked at, and let
// go of after it is closed.
import process from "node:process";
import type { RedisStoreConfig } from "../config/config.ts";
import { resolvePath } from "../config/files.ts";
import { failpointOf } from "../drivers/failpoint.ts";
import type { SqliteFileOptions } from "../drivers/sqlite/file.ts";
import { type StoreError, UsageError } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";
import type { Failpoint } from "../ports/failpoint.ts";
import type { StoreEngine } from "../ports/store-engine.ts";
import type { Ownerships, Store } from "../ports/store.ts";

export interface OpenStoreOptions {
  clock: Clock;
  /** What a relative path is relative to. */
  cwd: string;
  /** Called once when nothing can be written any more: every later call rejects with the error. */
  onLost?: (error: StoreError) => void;
  /** Of Redis: told why it cannot be reached, and `undefined` once it can. Absent: one that cannot be reached at once is refused. */
  onTrouble?: (problem: StoreError | undefined) => void;
  /** Of Redis: told what an operator should know, and nothing is stopped by. */
  onWarning?: (message: string) => void;
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
export async function openStore(
  place: string | RedisStoreConfig,
  options: OpenStoreOptions,
): Promise<Store & Ownerships> {
  if (typeof place === "string" && !/^rediss?:/.test(place)) return openEmbedded(place, options);
  const { openRedis, redisConfigOf } = await import("./open-redis.ts");
  return openRedis(typeof place === "string" ? redisConfigOf(place) : place, options);
}

async function openEmbedded(url: string, options: OpenStoreOptions): Promise<Store & Ownerships> {
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
      `cannot open the store '${url}': it is sqlite:PATH, as sqlite:data/haraka.db, redis://HOST:PORT/DATABASE?namespace=NAME, or memory:`,
    );
  return openSqlite(resolvePath(cwd, rest), { failpoint, create, thorough });
}

async function openSqlite(named: string, options: SqliteFileOptions): Promise<StoreEngine> {
  const { openDatabase } = await import("../drivers/sqlite/database.ts");
  return openDatabase(named, options).engine;
}
