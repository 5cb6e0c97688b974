// The registry as the runtime uses it, and the rules between its keys.
import type { DiscoveryConfig } from "./config.ts";
import type { RawDiscovery } from "./discovery-schema.ts";
import type { Path, RawMap } from "./path.ts";
import { durationText } from "./quantities.ts";

export interface DiscoveryScope {
  report(path: Path, message: string, part?: "key" | "value"): void;
}

/** A plane has a registry. */
export function withDiscovery(merged: RawMap): RawMap {
  const isThere = merged["discovery"] !== undefined || merged["plane"] === undefined;
  return isThere ? merged : { ...merged, discovery: {} };
}

export function resolveDiscovery(
  { advertise, registry }: RawDiscovery,
  { report }: DiscoveryScope,
): DiscoveryConfig {
  const { ttl, heartbeat } = registry;
  if (heartbeat * 2 > ttl) {
    report(
      ["discovery", "registry", "heartbeat"],
      `one that is lost would be the end of an instance: use at most half of \`ttl\`, which is ${durationText(ttl)}`,
    );
  }
  return {
    ...(advertise !== undefined && { advertise: advertise.replace(/^\[|\]$/g, "") }),
    registry: { ttlMs: ttl, heartbeatMs: heartbeat },
  };
}

/** As it would be written. */
export function discoveryDocument({ advertise, registry }: DiscoveryConfig): RawMap {
  return {
    advertise,
    registry: { ttl: durationText(registry.ttlMs), heartbeat: durationText(registry.heartbeatMs) },
  };
}
