// How routes are published to Traefik, as the runtime uses it, and the rules between its keys.
import type { TraefikPublishing } from "./config.ts";
import type { Path } from "./path.ts";
import type { RawTraefik } from "./routes-schema.ts";

export interface TraefikScope {
  /** Whether the runtime opens a port. */
  http: boolean;
  /** The Redis of the store, if that is where the store is. */
  storeUrl: string | undefined;
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
  { storeUrl, report }: TraefikScope,
): TraefikPublishing["redis"] & {} {
  const path = [...PATH, "redis"];
  if (/^\/|\/$|\/\//.test(rootKey))
    report([...path, "rootKey"], `expected a key that neither begins nor ends with "/", got "${rootKey}"`);
  if (url !== undefined && !(/^rediss?:\/\/./.test(url) && URL.canParse(url)))
    report([...path, "url"], "expected a URL such as redis://127.0.0.1:6379/0");
  const where = url ?? storeUrl;
  if (where === undefined)
    report(path, "which Redis is not known: add `url`, as redis://127.0.0.1:6379/0", "key");
  return { rootKey, url: where ?? "" };
}
