// Where a Redis is, as it is connected to and as messages call it. The store and what publishes routes meet it here, and nowhere else.
import type { RedisStoreConfig } from "../config/config.ts";
import { withoutPassword } from "../config/store-url.ts";
import { dialCluster, dialSentinel, dialServer } from "../drivers/redis/dial.ts";
import type { Dial } from "../drivers/redis/connection.ts";

export type RedisPlace = RedisStoreConfig["place"];

export function dialOf(place: RedisPlace): Dial {
  if ("cluster" in place) return dialCluster(place.cluster);
  return "sentinel" in place ? dialSentinel(place.sentinel) : dialServer(place.url);
}

/** Without what must not be seen. */
export function nameOfPlace(place: RedisPlace): string {
  if ("url" in place) return withoutPassword(place.url);
  const nodes = "cluster" in place ? place.cluster : place.sentinel.nodes;
  const what = "cluster" in place ? "the Redis cluster" : `the Redis master '${place.sentinel.master}'`;
  return `${what} at ${nodes.map(withoutPassword).join(", ")}`;
}
