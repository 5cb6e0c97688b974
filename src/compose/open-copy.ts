// From the URL of a store to one end of a migration: `sqlite:PATH` or `redis://…`. Loaded only by a migration.
import type { RedisStoreConfig } from "../config/config.ts";
import { resolvePath } from "../config/files.ts";
import { sqliteCopy } from "../drivers/sqlite/copy.ts";
import { openDatabase } from "../drivers/sqlite/database.ts";
import { UsageError } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";
import type { Failpoint } from "../ports/failpoint.ts";
import type { StoreTarget } from "../ports/store-copy.ts";

export interface OpenCopyOptions {
  clock: Clock;
  failpoint: Failpoint;
  /** Told what an operator should know of a Redis. */
  onWarning: (message: string) => void;
  /** A target may be made, and may be unfinished; a source has to be there, whole and sound. */
  as: "source" | "target";
}

/** A database by its absolute path, or a namespace in Redis. */
type Place = { path: string } | (RedisStoreConfig & { place: { url: string } });

/** Throws `UsageError` for what is no URL of a store that outlives its process. */
export async function placeOf(url: string, { cwd }: { cwd: string }): Promise<Place> {
  if (/^rediss?:/.test(url)) return (await import("./open-redis.ts")).redisConfigOf(url);
  const path = /^sqlite:(.+)$/s.exec(url)?.[1];
  if (path !== undefined) return { path: resolvePath(cwd, path) };
  throw new UsageError(
    `cannot migrate '${url}': it is sqlite:PATH or redis://HOST:PORT/DATABASE?namespace=NAME`,
  );
}

/** Throws `StoreError` for one that cannot be had: held, corrupt, newer, not to be reached. */
export async function openCopy(place: Place, options: OpenCopyOptions): Promise<StoreTarget> {
  if (!("path" in place)) return (await import("./open-redis.ts")).openRedisCopy(place, options);
  const isTarget = options.as === "target";
  const { failpoint } = options;
  const how = { failpoint, create: isTarget, thorough: !isTarget, unfinished: isTarget };
  const { path, database, engine } = openDatabase(place.path, how);
  return sqliteCopy(database, { url: `sqlite:${path}`, engine });
}
