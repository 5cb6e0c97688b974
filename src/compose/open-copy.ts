// From where a store is to one end of a migration. Loaded only by a migration.
import { sqliteCopy } from "../drivers/sqlite/copy.ts";
import { openDatabase } from "../drivers/sqlite/database.ts";
import type { Clock } from "../ports/clock.ts";
import type { Failpoint } from "../ports/failpoint.ts";
import type { StoreTarget } from "../ports/store-copy.ts";
import type { StoreAt } from "./store-at.ts";

/** One that outlives its process. */
export type LastingStore = Exclude<StoreAt, { driver: "memory" }>;

export interface OpenCopyOptions {
  clock: Clock;
  failpoint: Failpoint;
  /** Told what an operator should know of a Redis. */
  onWarning: (message: string) => void;
  /** A target may be made, and may be unfinished; a source has to be there, whole and sound. */
  as: "source" | "target";
}

/** Throws `StoreError` for one that cannot be had: held, corrupt, newer, not to be reached. */
export async function openCopy(store: LastingStore, options: OpenCopyOptions): Promise<StoreTarget> {
  if (store.driver === "redis") return (await import("./open-redis.ts")).openRedisCopy(store, options);
  const isTarget = options.as === "target";
  const { failpoint } = options;
  const how = { failpoint, create: isTarget, thorough: !isTarget, unfinished: isTarget };
  const { path, database, engine } = openDatabase(store.path, how);
  return sqliteCopy(database, { url: `sqlite:${path}`, engine });
}
