// What Traefik is told (version 3): its dynamic configuration out of routes and the servers that are ready. The same for its HTTP
// provider, its files, and, as keys, for Redis. It is told by whoever asks; nothing here does.
import { type Route, type Router, routersOf } from "./routes.ts";

/** One place where a service answers, and is ready to. */
export interface TraefikServer {
  /** The balancer that it belongs to. */
  balancer: string;
  /** Unique; the same for as long as it runs. */
  instance: string;
  /** Scheme, host and port. */
  url: string;
  /** The port on the same host where the runtime's health is; absent: it is nowhere Traefik can ask. */
  healthPort?: number;
}

export interface TraefikConfig {
  http: {
    middlewares: Readonly<Record<string, unknown>>;
    routers: Readonly<Record<string, TraefikRouter>>;
    services: Readonly<Record<string, TraefikService>>;
  };
}

interface TraefikRouter {
  rule: string;
  service: string;
  entryPoints?: readonly string[];
  middlewares?: readonly string[];
  priority?: number;
  tls?: { certResolver?: string; options?: string };
}

interface HealthCheck {
  path: string;
  interval: string;
  unhealthyInterval: string;
  timeout: string;
  port?: number;
}

type TraefikService =
  | { loadBalancer: { servers: readonly { url: string }[]; healthCheck?: HealthCheck } }
  /** `healthCheck`: a child that is down is left out; all of them must have checks then. */
  | { weighted: { services: readonly { name: string; weight: number }[]; healthCheck?: object } };

/**
 * How Traefik is to ask: it takes a new server for up and finds out after one interval, and it takes all for up again whenever
 * something changes, so both are short.
 */
const HEALTH_CHECK = {
  path: "/health/ready",
  interval: "1s",
  unhealthyInterval: "1s",
  timeout: "500ms",
} as const;

/** Keeps what is published from ever being empty, which Traefik would take for a failure. It is nobody's, and does nothing. */
export const SENTINEL = { "haraka-sentinel": { retry: { attempts: 1 } } } as const;

/** Everything. A service without servers stays, so that Traefik answers 503 and not 404. */
export function traefikConfig(
  routes: readonly Route[],
  servers: readonly TraefikServer[],
  namespace: string,
): TraefikConfig {
  const services: Record<string, TraefikService> = {};
  const routers = routersOf(routes, namespace);
  for (const name of new Set(routers.map(({ balancer }) => balancer))) {
    const own = servers
      .filter(({ balancer }) => balancer === name)
      .toSorted((one, other) => (one.instance < other.instance ? -1 : 1));
    Object.assign(services, balancersOf(name, own));
  }
  return { http: { middlewares: SENTINEL, routers: traefikRouters(routers), services } };
}

export function traefikRouters(routers: readonly Router[]): Record<string, TraefikRouter> {
  const entries = routers.map(({ name, balancer, route }) => {
    const { rule, entryPoints, middlewares, priority, tls } = route;
    const router = {
      rule,
      service: balancer,
      ...(entryPoints.length > 0 && { entryPoints }),
      ...(middlewares.length > 0 && { middlewares }),
      ...(priority !== undefined && { priority }),
      ...(tls && { tls }),
    };
    return [name, router] as const;
  });
  return Object.fromEntries(entries);
}

/** One balancer; where the servers have their health on different ports, one for each and a balancer over those. */
function balancersOf(name: string, servers: readonly TraefikServer[]): Record<string, TraefikService> {
  const [first] = servers;
  if (!first || servers.every((server) => checkPort(server) === checkPort(first)))
    return { [name]: loadBalancer(servers) };
  const children = servers.map((server) => [`${name}-${server.instance}`, loadBalancer([server])] as const);
  const services = children.map(([child]) => ({ name: child, weight: 1 }));
  return { [name]: { weighted: { services, ...propagation(servers) } }, ...Object.fromEntries(children) };
}

export function loadBalancer(servers: readonly TraefikServer[]): TraefikService {
  const [first] = servers;
  const port = first && (checkPort(first) ?? undefined);
  const isAsked = first?.healthPort !== undefined;
  return {
    loadBalancer: {
      ...(isAsked && { healthCheck: { ...HEALTH_CHECK, ...(port !== undefined && { port }) } }),
      servers: servers.map(({ url }) => ({ url })),
    },
  };
}

/** For a balancer over balancers: who is down below is left out above, if all below are asked. */
export function propagation(servers: readonly TraefikServer[]): { healthCheck?: object } {
  return servers.every(({ healthPort }) => healthPort !== undefined) ? { healthCheck: {} } : {};
}

/** What the check has to say about the port: nothing where it is the server's own, and `null` where there is no check. */
function checkPort({ url, healthPort }: TraefikServer): number | undefined | null {
  if (healthPort === undefined) return null;
  const { port, protocol } = new URL(url);
  const own = port === "" ? (protocol === "https:" ? 443 : 80) : Number(port);
  return healthPort === own ? undefined : healthPort;
}
