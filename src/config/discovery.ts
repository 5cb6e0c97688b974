// The registry as the runtime uses it, and the rules between its keys.
import type { DiscoveryConfig } from "./config.ts";
import type { RawDiscovery } from "./discovery-schema.ts";
import type { RawMap } from "./path.ts";
import { durationText } from "./quantities.ts";
import { resolveTraefik, type TraefikScope } from "./traefik.ts";

/** A plane has a registry. */
export function withDiscovery(merged: RawMap): RawMap {
  const isThere = merged["discovery"] !== undefined || merged["plane"] === undefined;
  return isThere ? merged : { ...merged, discovery: {} };
}

export function resolveDiscovery(
  { advertise, registry, traefik }: RawDiscovery,
  scope: TraefikScope,
): DiscoveryConfig {
  const { ttl, heartbeat } = registry;
  if (heartbeat * 2 > ttl) {
    scope.report(
      ["discovery", "registry", "heartbeat"],
      `one that is lost would be the end of an instance: use at most half of \`ttl\`, which is ${durationText(ttl)}`,
    );
  }
  return {
    ...(advertise !== undefined && { advertise: advertise.replace(/^\[|\]$/g, "") }),
    registry: { ttlMs: ttl, heartbeatMs: heartbeat },
    ...(traefik && { traefik: resolveTraefik(traefik, scope) }),
  };
}

/** As it would be written; `hide` is for what may hold a secret, which `rootKey` does not, however it sounds. */
export function discoveryDocument(
  { advertise, registry, traefik }: DiscoveryConfig,
  hide: (value: unknown) => unknown,
): RawMap {
  const redis = traefik?.redis;
  return {
    advertise: hide(advertise),
    registry: { ttl: durationText(registry.ttlMs), heartbeat: durationText(registry.heartbeatMs) },
    traefik: traefik && {
      ...(hide({ token: traefik.token }) as RawMap),
      // Sentinels are the store's, and where nothing is said so are these.
      redis: redis && {
        rootKey: hide(redis.rootKey),
        url: "url" in redis.place ? hide(redis.place.url) : undefined,
      },
    },
  };
}
