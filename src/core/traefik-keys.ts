// What Traefik is told by way of Redis: the same configuration as keys, to which every runtime adds its part. One that runs takes out
// what is left of those that have died. It writes nothing: it says what to write, in which order.
import { type Route, routersOf } from "./routes.ts";
import { loadBalancer, propagation, SENTINEL, traefikRouters, type TraefikServer } from "./traefik.ts";

/** What one runtime has published, as the others see it. */
export interface Publication {
  /** On the clock of Redis: since when it runs, and when it is dead unless it gives a sign. */
  sinceMs: number;
  untilMs: number;
  /** Its place in Traefik's lists; no two have the same. */
  index: number;
  /** Without the root. */
  keys: readonly string[];
}

/** All of them, by the name of the runtime. */
export type KeyBook = ReadonlyMap<string, Publication>;

/** What is to happen at once, in this order. */
export interface KeyChange {
  remove: readonly string[];
  write: readonly (readonly [key: string, value: string])[];
  /** Publications to be noted, or, where there is none, to be forgotten. */
  note: ReadonlyMap<string, Publication | undefined>;
}

export interface Published {
  /** The name of the runtime. */
  publisher: string;
  namespace: string;
  routes: readonly Route[];
  /** This runtime's own that are ready; of services without one nothing is published. */
  servers: readonly TraefikServer[];
}

/** What this runtime wants to be there changes to this, seen from what is there; nothing to publish takes it all back. */
export function keyChange(
  book: KeyBook,
  published: Published,
  { nowMs, ttlMs }: { nowMs: number; ttlMs: number },
): KeyChange {
  const { publisher, servers } = published;
  const others = [...book].filter(([name]) => name !== publisher);
  const alive = others.filter(([, { untilMs }]) => untilMs > nowMs).map(([, publication]) => publication);
  const own = book.get(publisher);
  const index = own?.index ?? freeIndex(alive);
  const sinceMs = own?.sinceMs ?? nowMs;
  const wanted = new Map(servers.length === 0 ? [] : keysOf(published, index));
  const keys = [...wanted.keys()];
  const kept = new Set([...keys, ...alive.flatMap((publication) => publication.keys), ...sentinelKeys()]);
  const dead = others.filter(([, { untilMs }]) => untilMs <= nowMs);
  const left = [own?.keys ?? [], ...dead.map(([, publication]) => publication.keys)].flat();
  const later = new Set(alive.filter((other) => other.sinceMs > sinceMs).flatMap((other) => other.keys));
  return {
    remove: [...new Set(left)].filter((key) => !kept.has(key)).toSorted(routersFirst),
    // Where a runtime of a newer config says something else, it is right.
    write: [...sentinel(), ...[...wanted].filter(([key]) => !later.has(key)).toSorted(servicesFirst)],
    note: new Map([
      ...dead.map(([name]) => [name, undefined] as const),
      [publisher, keys.length === 0 ? undefined : { sinceMs, untilMs: nowMs + ttlMs, index, keys }],
    ]),
  };
}

function freeIndex(alive: readonly Publication[]): number {
  const taken = new Set(alive.map(({ index }) => index));
  let index = 0;
  while (taken.has(index)) index += 1;
  return index;
}

/** Of each balancer: the part that is this runtime's own, its entry in what all share, and the routers that lead there. */
function keysOf({ publisher, namespace, routes, servers }: Published, index: number): [string, string][] {
  const byBalancer = Map.groupBy(servers, ({ balancer }) => balancer);
  const services = [...byBalancer].flatMap(([name, own]) => {
    const child = `${name}-${publisher}`;
    const entry = { name: child, weight: own.length };
    const { healthCheck } = propagation(own);
    return [
      ...flat(`http/services/${child}`, loadBalancer(own)),
      ...flat(`http/services/${name}/weighted/services/${index}`, entry),
      ...(healthCheck ? flat(`http/services/${name}/weighted/healthcheck`, healthCheck) : []),
    ];
  });
  const routers = routersOf(routes, namespace).filter(({ balancer }) => byBalancer.has(balancer));
  return [...services, ...flat("http/routers", traefikRouters(routers))];
}

function sentinel(): [string, string][] {
  return flat("http/middlewares", SENTINEL);
}

function sentinelKeys(): string[] {
  return sentinel().map(([key]) => key);
}

/** Fields in small letters, lists by number, what is empty but there as `true`: an empty value Traefik would not see, and an empty text is nothing. */
function flat(path: string, value: unknown): [string, string][] {
  if (typeof value !== "object" || value === null)
    return value === undefined || value === "" ? [] : [[path, text(value)]];
  const entries = Object.entries(value).filter(([, child]) => child !== undefined);
  const isField = path.split("/").length > 2;
  if (Object.keys(value).length === 0) return isField ? [[path, "true"]] : [];
  return entries.flatMap(([key, child]) => flat(`${path}/${isField ? key.toLowerCase() : key}`, child));
}

function text(value: unknown): string {
  return String(value as string | number | boolean);
}

const isRouter = (key: string): boolean => key.startsWith("http/routers/");

/** A router must never lead to a service that is gone. */
function routersFirst(one: string, other: string): number {
  return Number(isRouter(other)) - Number(isRouter(one)) || (one < other ? -1 : 1);
}

function servicesFirst([one]: readonly [string, string], [other]: readonly [string, string]): number {
  return Number(isRouter(one)) - Number(isRouter(other)) || (one < other ? -1 : 1);
}
