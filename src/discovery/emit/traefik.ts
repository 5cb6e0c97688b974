// What Traefik itself is started with: its entry points, and the provider by which it hears of the routes; where the runtime does not
// publish them, also a file that holds them.
import type { TraefikPublishing } from "../../config/config.ts";
import { dialable, isEverywhere } from "../../config/dialable.ts";
import { canonicalJson } from "../../core/canonical-json.ts";
import { traefikConfig } from "../../core/traefik.ts";
import {
  type Deployment,
  type Emitted,
  entryPointPort,
  entryPointsOf,
  headerOf,
  portOf,
  redisUrls,
  routers,
  yamlFile,
} from "./deployment.ts";

/** `traefik.yaml`, and `routes.yaml` where no provider has the routes. */
export function emitTraefik(deployment: Deployment): Emitted {
  const host = hostOf(deployment);
  const isPublished = deployment.config.discovery?.traefik !== undefined;
  const providers = isPublished
    ? publishedBy(deployment, host)
    : { file: { filename: "routes.yaml", watch: true } };
  const documents: [string, string][] = [
    [
      "traefik.yaml",
      yamlFile(headerOf("traefik", hints(deployment)), [{ entryPoints: entryPoints(deployment), providers }]),
    ],
  ];
  if (!isPublished)
    documents.push(["routes.yaml", yamlFile(headerOf("traefik"), [routesDocument(deployment, host)])]);
  return new Map(documents);
}

function hints({ config }: Deployment): string[] {
  const { token, redis } = config.discovery?.traefik ?? {};
  const hint = (what: string, variable: string): string =>
    `Traefik puts no variables in: write ${what} in place of \${${variable}}.`;
  if (redis)
    return redisUrls(redis.place)[0]?.password ? [hint("the password of that Redis", "REDIS_PASSWORD")] : [];
  return token === undefined ? [] : [hint("the value of discovery.traefik.token", "TRAEFIK_TOKEN")];
}

/** Where a Traefik that is no container finds the runtime: where it says, else where it listens if that is one address, else by its name. */
function hostOf({ config, name }: Deployment): string {
  const { http, discovery } = config;
  const listens = http && !isEverywhere(http.host) ? http.host : undefined;
  return dialable(discovery?.advertise ?? listens ?? name);
}

/** The same on its command line, with the Docker provider where the runtime does not publish. */
export function traefikArguments(deployment: Deployment): string[] {
  const isPublished = deployment.config.discovery?.traefik !== undefined;
  const providers = isPublished
    ? publishedBy(deployment, deployment.name)
    : { docker: { exposedByDefault: false } };
  return flat("--", { entryPoints: entryPoints(deployment), providers });
}

function entryPoints(deployment: Deployment): Record<string, { address: string }> {
  const names = entryPointsOf(routers(deployment));
  return Object.fromEntries(names.map((name) => [name, { address: `:${entryPointPort(name, names)}` }]));
}

function publishedBy({ config }: Deployment, host: string): object {
  const { redis, token } = config.discovery?.traefik ?? {};
  if (redis) return { redis: redisProvider(redis) };
  const port = config.http ? config.http.port : 80;
  return {
    http: {
      endpoint: `http://${host}:${port}/traefik`,
      ...(token !== undefined && { headers: { Authorization: "Bearer ${TRAEFIK_TOKEN}" } }),
    },
  };
}

/** With a variable in place of the password. */
function redisProvider({ rootKey, place }: NonNullable<TraefikPublishing["redis"]>): object {
  const urls = redisUrls(place);
  const { username = "", password = "", pathname = "", protocol } = urls[0] ?? {};
  const db = Number(pathname.slice(1) || 0);
  return {
    endpoints: urls.map(({ host }) => (/:\d+$/.test(host) ? host : `${host}:6379`)),
    rootKey,
    ...("sentinel" in place && { sentinel: { masterName: place.sentinel.master } }),
    ...(db > 0 && { db }),
    ...(username !== "" && { username: decodeURIComponent(username) }),
    ...(password !== "" && { password: "${REDIS_PASSWORD}" }),
    ...(protocol === "rediss:" && { tls: {} }),
  };
}

/** The routes, with this one runtime as the server of each. */
function routesDocument(deployment: Deployment, host: string): unknown {
  const { config, namespace } = deployment;
  const all = routers(deployment);
  const servers = all.map((router) => {
    const { target } = router.route;
    const own = config.http ? config.http.port : undefined;
    const url = target.type === "url" ? target.url : `http://${host}:${portOf(router, config)}`;
    const isAsked = target.type !== "url" && own !== undefined;
    return { balancer: router.balancer, instance: router.name, url, ...(isAsked && { healthPort: own }) };
  });
  const distinct = [...new Map(servers.map((server) => [server.balancer, server])).values()];
  const document = traefikConfig(
    all.map(({ route }) => route),
    distinct,
    namespace,
  );
  return JSON.parse(
    canonicalJson({ http: { routers: document.http.routers, services: document.http.services } }),
  );
}

function flat(path: string, value: unknown): string[] {
  if (Array.isArray(value)) return [`${path}=${value.join(",")}`];
  if (typeof value !== "object" || value === null)
    return [`${path}=${String(value as string | number | boolean)}`];
  const entries = Object.entries(value);
  if (entries.length === 0) return [`${path}=true`];
  return entries.flatMap(([key, child]) =>
    flat(path === "--" ? `--${key.toLowerCase()}` : `${path}.${key.toLowerCase()}`, child),
  );
}
