// What the files that `haraka emit` writes have in common: the one config, seen from outside the container. It reads no file and
// writes none.
import type { Config, RedisStoreConfig } from "../../config/config.ts";
import { writeYaml } from "../../config/document.ts";
import type { DeploymentTimings } from "../../core/deployment.ts";
import { type Router, routersOf, routesOf } from "../../core/routes.ts";

export interface Deployment {
  config: Config;
  /** What the names of containers, units and objects are, made of the runtime's. */
  name: string;
  /** What the names that Traefik sees begin with. */
  namespace: string;
  timings: DeploymentTimings;
  /** Of the image, for who runs containers. */
  image: string;
  replicas: number;
  /** The files that are named, not those that they include: as they are called beside each other, and their folder, also as it is called here. */
  files: { root: string; folder: string; names: readonly string[] };
}

/** Files by name, to be written as they are. */
export type Emitted = ReadonlyMap<string, string>;

/** How a file begins that may be written again. */
export const MARK = "# Written by `haraka emit";

export function headerOf(verb: string, lines: readonly string[] = []): string {
  return [
    `${MARK} ${verb}\`; write it again after a change of the config.`,
    ...lines.map((line) => `# ${line}`),
    "",
  ].join("\n");
}

export function yamlFile(header: string, documents: readonly unknown[]): string {
  return header + documents.map(writeYaml).join("---\n");
}

export function routers({ config, namespace }: Pick<Deployment, "config" | "namespace">): Router[] {
  return routersOf(routesOf(config.services), namespace);
}

/** The port where a router's requests go, on the container; absent: they go elsewhere. */
export function portOf({ route }: Router, { http }: Pick<Config, "http">): number | undefined {
  if (route.target.type === "url") return undefined;
  if (route.target.type === "port") return route.target.port;
  return http ? http.port : undefined;
}

/** What must survive is in a file, which one runtime holds. */
export function keepsData({ config }: Pick<Deployment, "config">): boolean {
  return config.plane?.store.driver === "sqlite";
}

/** Those of the routes, or `web`. */
export function entryPointsOf(all: readonly Router[]): string[] {
  const named = all.flatMap(({ route }) => route.entryPoints);
  return named.length === 0 ? ["web"] : [...new Set(named)].toSorted();
}

/** Where Traefik listens for each, as is usual; the others from 9000 on. */
export function entryPointPort(name: string, all: readonly string[]): number {
  if (name === "web") return 80;
  if (name === "websecure") return 443;
  return 9_000 + all.filter((other) => other !== "web" && other !== "websecure").indexOf(name);
}

/** A duration as all of them take it. */
export function seconds(ms: number): string {
  return Number.isInteger(ms / 1_000) ? `${ms / 1_000}s` : `${ms}ms`;
}

/** The servers that lead to what is there. */
export function redisUrls(place: RedisStoreConfig["place"]): URL[] {
  const urls = "url" in place ? [place.url] : "cluster" in place ? place.cluster : place.sentinel.nodes;
  return urls.map((url) => new URL(url));
}

/** Each Redis that the config names, and by which key. */
export function redisPlaces({ plane, discovery }: Config): [key: string, place: RedisStoreConfig["place"]][] {
  const places: [string, RedisStoreConfig["place"]][] = [];
  if (plane?.store.driver === "redis") places.push(["store", plane.store.place]);
  const published = discovery?.traefik?.redis;
  if (published) places.push(["discovery.traefik.redis", published.place]);
  return places;
}

/** The hosts of those that are other containers. */
export function redisHosts(config: Config): string[] {
  const hosts = redisPlaces(config).flatMap(([, place]) => bareHost(place) ?? []);
  return [...new Set(hosts)];
}

/** The host of a single server that is called by a bare name, as containers are. */
export function bareHost(place: RedisStoreConfig["place"] | undefined): string | undefined {
  const host = place && "url" in place ? new URL(place.url).hostname : undefined;
  return host !== undefined && /^[a-z][a-z\d-]*$/.test(host) && host !== "localhost" ? host : undefined;
}
