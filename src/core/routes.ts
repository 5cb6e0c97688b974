// What holds between routes: what Traefik calls them, which two are in each other's way, and what URL one has from outside. How a rule
// is matched is next door in `route-match.ts`.
import type { RouteConfig, ServiceConfig } from "../config/config.ts";
import type { RuleNode } from "../config/route-rule.ts";
import { priorityOf } from "./route-match.ts";

export type Route = Omit<RouteConfig, "position"> & {
  /** The key in the config, which replicas have in common. */
  service: string;
};

type Routed = Pick<ServiceConfig, "group" | "replica" | "routes">;

/** The routes of all services; what replicas have in common, once. */
export function routesOf(services: readonly Routed[]): (RouteConfig & { service: string })[] {
  return services
    .filter(({ replica }) => replica === 1)
    .flatMap(({ group, routes }) =>
      routes.map((route) => ({
        ...route,
        service: group,
        // As lazy as it is.
        get position() {
          return route.position;
        },
      })),
    );
}

/** The replicas whose routes are not those of the first, apart from where they lead. */
export function strayReplicas<Each extends Routed>(services: readonly Each[]): Each[] {
  const firsts = new Map(
    services.filter(({ replica }) => replica === 1).map((first) => [first.group, first]),
  );
  const inCommon = (routed: Routed | undefined) =>
    JSON.stringify(routed?.routes.map((route) => ({ ...route, target: undefined })));
  return services.filter((service) => inCommon(service) !== inCommon(firsts.get(service.group)));
}

/** A route that cannot be beside one that was there before it. */
export interface RouteConflict<Each extends Route = Route> {
  route: Each;
  other: Each;
  /** As `cannot route …: `, without what to do about it. */
  message: string;
}

/**
 * What Traefik calls what belongs to a service: `NAMESPACE-SERVICE`, in which only letters, digits, `-` and `_` are left, so that it
 * is one part of a label and of a key.
 */
function traefikName(namespace: string, service: string): string {
  return `${namespace}-${service}`.replace(/[^\w-]/g, "-");
}

/** A route as Traefik knows it. */
export interface Router<Each extends Route = Route> {
  name: string;
  /** What it leads to: named as the first router of the same service that leads to the same place. */
  balancer: string;
  route: Each;
}

/** The routers of each service, in the order of its routes: named as the service, then with `-2` and so on. */
export function routersOf<Each extends Route>(routes: readonly Each[], namespace: string): Router<Each>[] {
  const counts = new Map<string, number>();
  const balancers = new Map<string, string>();
  return routes.map((route) => {
    const count = (counts.get(route.service) ?? 0) + 1;
    counts.set(route.service, count);
    const name = traefikName(namespace, route.service) + (count === 1 ? "" : `-${count}`);
    const place = JSON.stringify([route.service, route.target]);
    const balancer = balancers.get(place) ?? name;
    balancers.set(place, balancer);
    return { name, balancer, route };
  });
}

/** Every route of which Traefik could not tell an earlier one. */
export function routeConflicts<Each extends Route>(
  routes: readonly Each[],
  namespace: string,
): RouteConflict<Each>[] {
  const known = new Map<string, Router<Each>[]>();
  return routersOf(routes, namespace).flatMap((router) => {
    const { name, route } = router;
    // What could be the same is looked at, and nothing else.
    const keys = [`rule ${priorityOf(route)} ${meaningOf(route.match)}`, `name ${name.toLowerCase()}`];
    const others = keys.flatMap((key) => known.get(key) ?? []);
    for (const key of keys) known.set(key, [...(known.get(key) ?? []), router]);
    for (const other of others) {
      const message = conflictOf(router, other);
      if (message !== undefined) return [{ route, other: other.route, message }];
    }
    return [];
  });
}

function conflictOf(
  { name, route }: Omit<Router, "balancer">,
  { name: otherName, route: other }: Omit<Router, "balancer">,
): string | undefined {
  if (meet(route, other) && priorityOf(route) === priorityOf(other) && isSameRule(route.match, other.match))
    return `cannot route ${route.rule} to "${route.service}": "${other.service}" has the same rule with the same priority`;
  // Two that Traefik would take for one.
  if (name.toLowerCase() === otherName.toLowerCase())
    return `cannot route ${route.rule} to "${route.service}": Traefik would know it as "${name}", as it knows the one to "${other.service}"`;
  return undefined;
}

/** Whether a request can come to both. An entry point that is not named may be any. */
function meet({ entryPoints }: Route, { entryPoints: others }: Route): boolean {
  return (
    entryPoints.length === 0 ||
    others.length === 0 ||
    entryPoints.some((entryPoint) => others.includes(entryPoint))
  );
}

/** The same, however it is written: space, quotes, parentheses and the order of what is joined mean nothing. */
function isSameRule(one: RuleNode, other: RuleNode): boolean {
  return meaningOf(one) === meaningOf(other);
}

function meaningOf(rule: RuleNode): string {
  switch (rule.type) {
    case "and":
    case "or":
      return `(${[...new Set(joined(rule, rule.type).map(meaningOf))].toSorted().join(` ${rule.type} `)})`;
    case "not":
      return `!${meaningOf(rule.inner)}`;
    case "match": {
      const values = rule.matcher === "Host" ? rule.values.map((value) => value.toLowerCase()) : rule.values;
      return `${rule.matcher}(${JSON.stringify(values)})`;
    }
    default:
      return rule satisfies never;
  }
}

/** `a && (b && c)` as three. */
function joined(rule: RuleNode, type: "and" | "or"): RuleNode[] {
  return rule.type === type ? [...joined(rule.left, type), ...joined(rule.right, type)] : [rule];
}

/**
 * The shortest address from outside that a rule names for certain, as `https://shop.example/api`; only the path where it names no
 * host. `undefined`: it names no path either.
 */
export function publicUrl({ match, tls }: Pick<Route, "match" | "tls">): string | undefined {
  const named = joined(firstOf(match), "and").flatMap((node) => (node.type === "match" ? [node] : []));
  const valueOf = (...matchers: string[]) =>
    named.find(({ matcher }) => matchers.includes(matcher))?.values[0];
  const host = valueOf("Host");
  const path = valueOf("Path", "PathPrefix");
  if (host === undefined || host.startsWith("*")) return path;
  return `${tls ? "https" : "http"}://${host}${path ?? "/"}`;
}

/** Of alternatives the first, also of those inside what is joined. */
function firstOf(rule: RuleNode): RuleNode {
  if (rule.type === "or") return firstOf(rule.left);
  return rule.type === "and" ? { ...rule, left: firstOf(rule.left), right: firstOf(rule.right) } : rule;
}
