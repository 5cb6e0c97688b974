// From where Redis is to the store in it. Its parts do not know each other: they meet here. Loaded only when a store in Redis is asked for.
import type { RedisStoreConfig } from "../config/config.ts";
import { withoutPassword } from "../config/store-url.ts";
import { redisCopy } from "../drivers/redis/copy.ts";
import { openRedisLink } from "../drivers/redis/link.ts";
import { respectingMark } from "../drivers/redis/mark.ts";
import { redisOwnerships } from "../drivers/redis/owners.ts";
import { type RedisScripts, redisScripts } from "../drivers/redis/scripts.ts";
import { redisStore } from "../drivers/redis/store.ts";
import { lookAtVersion } from "../drivers/redis/version.ts";
import { RedisWrites } from "../drivers/redis/writes.ts";
import type { StoreError } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";
import type { StoreTarget } from "../ports/store-copy.ts";
import type { Ownerships, Store } from "../ports/store.ts";
import { dialOf, nameOfPlace } from "./redis-place.ts";

/** How long a write waits to be told what became of it when its connection was lost. */
const UNKNOWN_MS = 5_000;

export interface OpenRedisOptions {
  clock: Clock;
  /** Called once when Redis refuses us for good: nothing can be written. */
  onLost?: ((error: StoreError) => void) | undefined;
  /** Told why it cannot be reached, and `undefined` once it can. Absent: one that cannot be reached at once is refused. */
  onTrouble?: ((problem: StoreError | undefined) => void) | undefined;
  /** Told what an operator should know, and nothing is stopped by. */
  onWarning?: ((message: string) => void) | undefined;
  /** One that is not there is made. Default true. */
  create?: boolean;
  /** Default: those of the driver. */
  scripts?: RedisScripts;
}

/** Throws `StoreError` for a Redis that cannot be had. */
export async function openRedis(
  config: RedisStoreConfig,
  {
    clock,
    onLost,
    onTrouble,
    onWarning = () => {},
    create = true,
    scripts = redisScripts(),
  }: OpenRedisOptions,
): Promise<Store & Ownerships> {
  const { namespace, leaseMs, checks, replicas, place } = config;
  const link = await openRedisLink({
    name: "url" in place ? `the store ${nameOfPlace(place)}` : nameOfPlace(place),
    isSharded: "cluster" in place,
    dial: respectingMark(dialOf(place), { namespace, isRuntime: onTrouble !== undefined }),
    clock,
    checks,
    look: (connection) => lookAtVersion(connection, { namespace, create }),
    onWarning,
    ...(onTrouble && { onRefused: (error: StoreError) => onLost?.(error) }),
  });
  if (onTrouble) {
    link.onChange(onTrouble);
    if (link.problem) onTrouble(link.problem);
  }
  const writes = new RedisWrites({
    link,
    script: scripts.commit,
    namespace,
    clock,
    leaseMs,
    replicas,
    unknownMs: UNKNOWN_MS,
    onDiverged: (_tenant, error) => onWarning(error.message),
  });
  const store = redisStore({ link, writes, scripts, namespace });
  const listed = () => store.listed();
  const owners = redisOwnerships({ link, writes, scripts, namespace, clock, leaseMs, listed });
  return Object.assign(store, owners);
}

/** As one end of a migration, unfinished or not. Throws as `openRedis` does. */
export async function openRedisCopy(
  config: RedisStoreConfig & { place: { url: string } },
  { clock, onWarning = () => {} }: Pick<OpenRedisOptions, "clock" | "onWarning">,
): Promise<StoreTarget> {
  const { namespace, checks, place } = config;
  const link = await openRedisLink({
    name: `the store ${nameOfPlace(place)}`,
    isSharded: false,
    dial: dialOf(place),
    clock,
    checks,
    look: (connection) => lookAtVersion(connection, { namespace, create: false }),
    onWarning,
  });
  const url = `${withoutPassword(place.url)}?namespace=${encodeURIComponent(namespace)}`;
  return redisCopy({ link, namespace, url });
}
