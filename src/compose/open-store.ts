// From what a config says of a store to the store: a file, this process's memory or Redis, each loaded only when it is that. A file's
// lock is taken before it is looked at, and let go of after it is closed.
import type { RedisStoreConfig, StoreConfig } from "../config/config.ts";
import type { StoreError } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";
import type { Failpoint } from "../ports/failpoint.ts";
import type { StoreEngine } from "../ports/store-engine.ts";
import type { Ownerships, Store } from "../ports/store.ts";

export interface OpenStoreOptions {
  clock: Clock;
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
  failpoint: Failpoint;
  /** Calls `run` when a batch is to be written. Default: when timers and sockets have had their turn. */
  nextTurn?: ((run: () => void) => void) | undefined;
}

/** Throws `StoreError` for one that cannot be had: held, corrupt, newer. */
export async function openStore(config: StoreConfig, options: OpenStoreOptions): Promise<Store & Ownerships> {
  if (config.driver !== "redis") return openEmbedded(config, options);
  const { openRedis } = await import("./open-redis.ts");
  return openRedis(config, options);
}

async function openEmbedded(
  config: Exclude<StoreConfig, RedisStoreConfig>,
  options: OpenStoreOptions,
): Promise<Store & Ownerships> {
  const { clock, onLost, nextTurn, failpoint } = options;
  const engine = await openEngine(config, options);
  const { embeddedStore } = await import("../drivers/store-embedded.ts");
  try {
    return embeddedStore(engine, { clock, failpoint, onLost, nextTurn });
  } catch (error) {
    engine.close();
    throw error;
  }
}

async function openEngine(
  config: Exclude<StoreConfig, RedisStoreConfig>,
  { failpoint, create = true, thorough = false }: OpenStoreOptions,
): Promise<StoreEngine> {
  if (config.driver === "memory") return (await import("../drivers/store-memory.ts")).memoryEngine();
  const { openDatabase } = await import("../drivers/sqlite/database.ts");
  return openDatabase(config.path, { failpoint, create, thorough }).engine;
}
