// What may stand under `discovery`: a part of the schema in `schema.ts`, and built the same way. What takes more than one key to judge
// is in `discovery.ts`.
import type * as zod from "zod/mini";
import { traefikOf } from "./routes-schema.ts";
import type { Kit } from "./schema-kit.ts";

const HOST = /^(?:\[[\da-fA-F:.]+\]|[\da-fA-F]*:[\da-fA-F:.]+|[^\s:[\]/]+)$/;

export function discoveryOf(kit: Kit) {
  const { z, key, preset, span } = kit;
  const host = z
    .string()
    .check(z.regex(HOST, { error: 'expected a name or an address such as "10.0.0.5", without a port' }));
  return z.strictObject({
    advertise: key(
      host,
      "The name or address at which others reach this machine. Default: `http.host` where that is one address; else, on a store that several share, `$POD_IP` or the machine's first address, and `127.0.0.1` otherwise.",
    ),
    registry: preset(
      z.strictObject({
        ttl: preset(span, "15s", "An instance of which nothing is heard for so long is gone."),
        heartbeat: preset(span, "5s", "How often this runtime says that its own are still there."),
      }),
      {},
      "Who is where. What it says of time is for a store that several share: what only this runtime knows needs no sign of life.",
    ),
    traefik: key(
      traefikOf(kit),
      "Publish the routes of services to Traefik: `{}` answers at `/traefik`, for its HTTP provider.",
    ),
  });
}

export type RawDiscovery = zod.output<ReturnType<typeof discoveryOf>>;
