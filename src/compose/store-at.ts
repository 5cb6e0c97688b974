// A store by its URL, as verbs take it: to look at, or to copy. What the URL does not say of a Redis is chosen for that, and one that may
// lose what it has acknowledged is said, not refused.
import process from "node:process";
import type { RedisStoreConfig, StoreConfig } from "../config/config.ts";
import { isNamespace, LEASE_MS } from "../config/redis-store.ts";
import { readStoreUrl, withoutPassword } from "../config/store-url.ts";
import { failpointOf } from "../drivers/failpoint.ts";
import { UsageError } from "../errors.ts";
import type { Ownerships, Store } from "../ports/store.ts";
import { openStore, type OpenStoreOptions } from "./open-store.ts";

/** One that a URL can name: no cluster, no sentinels. */
export type StoreAt =
  Exclude<StoreConfig, RedisStoreConfig> | (RedisStoreConfig & { place: { url: string } });

export interface StoreAtOptions extends Omit<OpenStoreOptions, "failpoint"> {
  /** What a relative path is relative to. */
  cwd: string;
  /** Default: what `HARAKA_FAILPOINT` says. */
  failpoint?: OpenStoreOptions["failpoint"];
}

/** `undefined`: it is no URL of a store. */
export function storeAt(url: string, { cwd }: Pick<StoreAtOptions, "cwd">): StoreAt | undefined {
  const named = readStoreUrl(url, { cwd });
  if (named?.driver !== "redis") return named;
  const { url: server, namespace = "haraka" } = named;
  if (!isNamespace(namespace)) return undefined;
  return {
    driver: "redis",
    place: { url: server },
    namespace,
    leaseMs: LEASE_MS,
    checks: "warn",
    replicas: 0,
  };
}

/** Throws `UsageError` for what is no URL of a store, and what `openStore` throws. */
export async function openStoreAt(
  url: string,
  { cwd, failpoint = failpointOf(process.env["HARAKA_FAILPOINT"]), ...options }: StoreAtOptions,
): Promise<Store & Ownerships> {
  const config = storeAt(url, { cwd });
  if (config) return openStore(config, { ...options, failpoint });
  throw new UsageError(
    `cannot open the store '${withoutPassword(url)}': it is sqlite:PATH, as sqlite:data/haraka.db, redis://HOST:PORT/DATABASE?namespace=NAME, or memory:`,
  );
}
