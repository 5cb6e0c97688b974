// How routes are published to Traefik, as the runtime uses it, and the rules between its keys.
import type { RedisServerPlace, TraefikPublishing } from "./config.ts";
import type { Path } from "./path.ts";
import type { RawStore } from "./plane-schema.ts";
import { redisUrlProblem } from "./redis-store.ts";
import type { RawTraefik } from "./routes-schema.ts";

export interface TraefikScope {
  /** Whether the runtime opens a port. */
  http: boolean;
  /** Where the store is, if there is one: its Redis is taken where no other is named. */
  store: RawStore | undefined;
  report(path: Path, message: string, part?: "key" | "value"): void;
}

const PATH: Path = ["discovery", "traefik"];

export function resolveTraefik({ token, redis }: RawTraefik, scope: TraefikScope): TraefikPublishing {
  if (!scope.http && !redis)
    scope.report(PATH, "with `http: false` nobody can ask `/traefik`: leave it out, or add `redis`", "key");
  return {
    ...(token !== "" && { token }),
    ...(redis && { redis: resolveRedis(redis, scope) }),
  };
}

function resolveRedis(
  { rootKey, url }: RawTraefik["redis"] & {},
  { store, report }: TraefikScope,
): TraefikPublishing["redis"] & {} {
  const path = [...PATH, "redis"];
  if (/^\/|\/$|\/\//.test(rootKey))
    report([...path, "rootKey"], `expected a key that neither begins nor ends with "/", got "${rootKey}"`);
  const problem = url === undefined ? undefined : redisUrlProblem(url);
  if (problem !== undefined) report([...path, "url"], problem);
  const place = url !== undefined ? { url } : placeOf(store);
  if (!place) {
    const reason = store?.cluster
      ? "Traefik reads from one server, and the store is a cluster"
      : "which Redis is not known";
    report(path, `${reason}: add \`url\`, as redis://127.0.0.1:6379/0`, "key");
  }
  return { rootKey, place: place ?? { url: "" } };
}

function placeOf({ url, sentinel }: Partial<RawStore> = {}): RedisServerPlace | undefined {
  if (url !== undefined) return { url };
  return sentinel && { sentinel };
}
