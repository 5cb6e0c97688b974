// The routes of this runtime as they are now: those of the config, those that services have added, and where each leads while its
// service is ready. It publishes nothing; who does asks it.
import type { RouteTarget, ServiceConfig } from "../config/config.ts";
import { readRoute } from "../config/route.ts";
import { canonicalJson } from "../core/canonical-json.ts";
import { requestOf, routeOf } from "../core/route-match.ts";
import { publicUrl, routeConflicts, routersOf, type Route } from "../core/routes.ts";
import type { Snapshot } from "../core/snapshot.ts";
import type { Published } from "../core/traefik-keys.ts";
import { traefikConfig, type TraefikServer } from "../core/traefik.ts";
import { UsageError } from "../errors.ts";
import type { RegistryEntry } from "../ports/registry.ts";
import type { NewRoute, Routes } from "../ports/routing.ts";
import { healthPortOf } from "./health-tag.ts";

/** A service, or one of its replicas, as the config has it. */
export type RoutedService = Pick<ServiceConfig, "name" | "group" | "routes" | "port">;

export interface RoutingOptions {
  /** What the names that Traefik sees begin with. */
  namespace: string;
  /** Unique among those who publish. */
  publisher: string;
  /** Those of the config, as it is now. */
  services: () => readonly RoutedService[];
  snapshot: () => Pick<Snapshot, "ready" | "components">;
  /** Where others reach this machine, an IPv6 address without brackets. */
  address: string;
  /** Where the runtime's own port is, and with it health and the routes of modules. */
  httpPort: () => number | undefined;
}

/** What one launch of a service has added. */
interface Added {
  routes: Route[];
  /** Aborts when it ends. */
  life: AbortSignal;
}

/** A service that has said what it has to say of routes. */
const SETTLED: ReadonlySet<string> = new Set(["started", "ready", "unready", "completed"]);

export class Routing {
  readonly #options: RoutingOptions;
  /** By the name of the service: of its latest launch that has added any. */
  readonly #added = new Map<string, Added>();
  readonly #listeners = new Set<() => void>();

  constructor(options: RoutingOptions) {
    this.#options = options;
  }

  /** What is to be published; of services that are not there, nothing. */
  routes(): Route[] {
    const present = [...this.#present().values()];
    const live = present.flatMap((replicas) => inCommon(replicas.flatMap((each) => this.#routesOf(each))));
    const left = present.flatMap((replicas) => replicas.flatMap((each) => this.#leftBy(each)));
    if (left.length === 0) return live;
    const all = inCommon([...live, ...left]);
    const displaced = new Set(routeConflicts(all, this.#options.namespace).map(({ route }) => route));
    return all.filter((route) => !displaced.has(route));
  }

  /** Where they lead right now: nowhere while this runtime, or the service, is not ready. */
  servers(): TraefikServer[] {
    const { snapshot, publisher, namespace } = this.#options;
    const { ready, components } = snapshot();
    if (!ready) return [];
    const routers = Map.groupBy(routersOf(this.routes(), namespace), ({ route }) => route.service);
    const servers = new Map<string, TraefikServer>();
    for (const [group, replicas] of this.#present()) {
      for (const replica of replicas) {
        if (components[replica.name]?.state !== "ready") continue;
        const own = this.#routesOf(replica);
        for (const { balancer, route } of routers.get(group) ?? []) {
          const place = this.#placeOf(own.find((each) => meaningOf(each) === meaningOf(route))?.target);
          const instance = `${publisher}-${replica.name}`;
          if (place) servers.set(`${balancer} ${instance}`, { balancer, instance, ...place });
        }
      }
    }
    return [...servers.values()];
  }

  /** What this runtime has to tell Traefik by way of Redis. */
  published(): Published {
    const { publisher, namespace } = this.#options;
    return { publisher, namespace, routes: this.routes(), servers: this.servers() };
  }

  /**
   * For Traefik's HTTP provider, the same bytes as long as nothing has changed. `entries`: what the registry knows, where it knows of
   * other runtimes, too.
   */
  document(entries?: readonly RegistryEntry[]): string {
    const servers = entries ? this.#serversAmong(entries) : this.servers();
    return canonicalJson(traefikConfig(this.routes(), servers, this.#options.namespace));
  }

  /** Calls `listener` when a service has added a route, or has lost those that it had. */
  onChanged(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** The routes as a service sees them; what it adds goes when `signal` aborts. */
  slice(name: string, signal: AbortSignal): Routes {
    return {
      add: (route) => this.#add(name, route, signal),
      urlOf: (service) => this.urlOf(service),
      serviceOf: (url) => this.serviceOf(url),
    };
  }

  urlOf(service: string): string | undefined {
    const own = this.routes().filter((route) => route.service === service);
    return own.map(publicUrl).find((url) => url !== undefined);
  }

  serviceOf(url: string | URL): string | undefined {
    return routeOf(this.routes(), requestOf(new URL(url)))?.service;
  }

  /** Of all runtimes: what is ready leads where the route does in this one. */
  #serversAmong(entries: readonly RegistryEntry[]): TraefikServer[] {
    const servers = new Map<string, TraefikServer>();
    for (const { balancer, route } of routersOf(this.routes(), this.#options.namespace)) {
      const { target, service } = route;
      const ready = entries.filter((entry) => entry.service === service && entry.state === "ready");
      for (const { instance, address, port, tags } of ready) {
        const own = target.type === "port" ? target.port : port;
        const healthPort = healthPortOf(tags);
        const server =
          target.type === "url"
            ? { balancer, instance: service, url: target.url }
            : {
                balancer,
                instance,
                url: urlOf(address, own),
                ...(healthPort !== undefined && { healthPort }),
              };
        servers.set(`${balancer} ${server.instance}`, server);
      }
    }
    return [...servers.values()];
  }

  /** Those that run, by what replicas have in common. */
  #present(): Map<string, RoutedService[]> {
    const { components } = this.#options.snapshot();
    const present = this.#options.services().filter(({ name }) => components[name] !== undefined);
    return Map.groupBy(present, ({ group }) => group);
  }

  #routesOf({ name, group, routes }: RoutedService): Route[] {
    const added = this.#added.get(name);
    return [
      ...routes.map((route) => ({ ...route, service: group })),
      ...(added && !added.life.aborted ? added.routes : []),
    ];
  }

  /** What a launch that has ended had added, until the next one has: a service that restarts is away, not unknown. */
  #leftBy({ name }: RoutedService): Route[] {
    const added = this.#added.get(name);
    const { state = "" } = this.#options.snapshot().components[name] ?? {};
    return added?.life.aborted && !SETTLED.has(state) ? added.routes : [];
  }

  #add(name: string, given: NewRoute, signal: AbortSignal): void {
    const { services, namespace } = this.#options;
    const config = services().find((service) => service.name === name);
    const route = newRoute(given, { service: config?.group ?? name, port: config?.port });
    if (signal.aborted) return;
    const live = [...this.#present().values()].flat().flatMap((each) => this.#routesOf(each));
    const others = inCommon(live).filter((other) => meaningOf(other) !== meaningOf(route));
    const conflict = routeConflicts([...others, route], namespace).find((found) => found.route === route);
    if (conflict)
      throw new UsageError(`${conflict.message}; change one of them, or give one another \`priority\``);
    let added = this.#added.get(name);
    if (added?.life !== signal) {
      added = { routes: [], life: signal };
      this.#added.set(name, added);
      signal.addEventListener("abort", () => this.#tell(), { once: true });
    }
    added.routes.push(route);
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }

  #placeOf(target: RouteTarget | undefined): { url: string; healthPort?: number } | undefined {
    const { address, httpPort } = this.#options;
    if (target?.type === "url") return { url: target.url };
    const own = httpPort();
    const port = target?.type === "port" ? target.port : own;
    if (target === undefined || port === undefined) return undefined;
    return { url: urlOf(address, port), ...(own !== undefined && { healthPort: own }) };
  }
}

/** Each once, also where every replica has added it. */
function inCommon(all: readonly Route[]): Route[] {
  const routes = new Map<string, Route>();
  for (const route of all) if (!routes.has(meaningOf(route))) routes.set(meaningOf(route), route);
  return [...routes.values()];
}

function urlOf(address: string, port: number): string {
  return `http://${address.includes(":") ? `[${address}]` : address}:${port}`;
}

/** What a route is, wherever it leads: replicas have it in common. */
function meaningOf({ service, rule, entryPoints, middlewares, priority, tls }: Route): string {
  return JSON.stringify([service, rule, entryPoints, middlewares, priority, tls]);
}

/** Throws `UsageError`. */
function newRoute(given: NewRoute, { service, port }: { service: string; port: number | undefined }): Route {
  if (typeof given.rule !== "string")
    throw new UsageError(
      `cannot route to "${service}": expected a rule, as { rule: "PathPrefix(\`/api\`)" }`,
    );
  const { route, problems } = readRoute(given);
  if (!route) {
    const words = problems.map(({ message }) => message).join("; ");
    throw new UsageError(`cannot route ${given.rule.trim()} to "${service}": ${words}`);
  }
  const own: RouteTarget = port === undefined ? { type: "runtime" } : { type: "port", port };
  return { ...route, service, target: route.target ?? own };
}
