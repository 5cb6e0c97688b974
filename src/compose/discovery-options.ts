// The registry as code asks for it: as under `discovery` in a config, apart from what is published of routes, which takes a config. It
// opens nothing.
import { acceptDiscovery, acceptSpan } from "../config/accept.ts";
import type { DiscoveryConfig } from "../config/config.ts";
import { resolveDiscovery } from "../config/discovery.ts";
import { UsageError } from "../errors.ts";
import { checkOptions, OBJECT, type Rule, type Rules } from "./option-rules.ts";

/** What is left out is as in a config. */
export interface DiscoveryOptions {
  /** The name or address at which others reach this machine, without a port. */
  advertise?: string;
  /** Times such as `15s`, for a store that several runtimes share. */
  registry?: { ttl?: string; heartbeat?: string };
}

/** Throws `UsageError` for what it cannot be. */
export function discoveryConfigOf(
  discovery: DiscoveryOptions,
  { cannot }: { cannot: string },
): DiscoveryConfig {
  checkOptions(discovery, { cannot, path: "discovery.", rules: DISCOVERY });
  checkOptions(discovery.registry ?? {}, { cannot, path: "discovery.registry.", rules: REGISTRY });
  const found = acceptDiscovery(discovery);
  if (!found)
    throw new UsageError(
      `${cannot}: discovery.advertise is "${discovery.advertise}"; expected a name or an address such as "10.0.0.5", without a port`,
    );
  const report = (path: readonly unknown[], message: string): never => {
    throw new UsageError(`${cannot}: ${path.join(".")}: ${message}`);
  };
  return resolveDiscovery(found, { http: false, store: undefined, report });
}

const SPAN: Rule = {
  expected: 'a duration such as "15s"',
  holds: (value) => acceptSpan(value) !== undefined,
};
const DISCOVERY: Rules<DiscoveryOptions> = {
  advertise: { expected: "a text", holds: (value) => typeof value === "string" },
  registry: OBJECT,
};
const REGISTRY: Rules<NonNullable<DiscoveryOptions["registry"]>> = { ttl: SPAN, heartbeat: SPAN };
