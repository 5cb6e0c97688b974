// The routes of a service as the runtime uses them, and the rules that each has to keep by itself. Whether two of them are in each
// other's way is for the core, which sees all.
import type { ProbeConfig, RouteConfig, RouteTarget } from "./config.ts";
import type { Place } from "./layers.ts";
import type { Path } from "./path.ts";
import { readRule } from "./route-rule.ts";
import type { RawRoute } from "./routes-schema.ts";

export interface RoutesScope {
  /** Whether the runtime opens a port, on which the routes of modules are. */
  http: boolean;
  place(path: Path, part?: "key" | "value"): Place;
  report(path: Path, message: string, part?: "key" | "value"): void;
}

export interface RoutedService {
  group: string;
  task: boolean;
  module: boolean;
  /** The one that it opens by itself. */
  port: number | undefined;
  /** The probes it has, in the order in which they are asked for a port. */
  probes: readonly (ProbeConfig | undefined)[];
}

/** All routes of a service, what is wrong with them reported. */
export function resolveRoutes(
  routes: readonly RawRoute[],
  service: RoutedService,
  scope: RoutesScope,
): RouteConfig[] {
  const path = ["services", service.group, "routes"];
  if (service.task && routes.length > 0) {
    scope.report(path, "a task serves no requests: leave it out", "key");
    return [];
  }
  return routes.flatMap((raw, index) => resolveRoute(raw, { service, path: [...path, index] }, scope) ?? []);
}

function resolveRoute(
  raw: RawRoute,
  { service, path }: { service: RoutedService; path: Path },
  scope: RoutesScope,
): RouteConfig | undefined {
  const { entryPoints, middlewares, priority, tls } = raw;
  const rule = raw.rule.trim();
  const read = readRule(rule);
  if ("problem" in read)
    scope.report([...path, "rule"], `cannot read the rule at character ${read.at}: ${read.problem}`);
  checkNames({ entryPoints, middlewares }, path, scope);
  const target = resolveTarget(raw, { service, path }, scope);
  if ("problem" in read || target === undefined) return undefined;
  const route = {
    rule,
    match: read.match,
    entryPoints,
    middlewares,
    ...(priority > 0 && { priority }),
    ...(tls !== undefined && { tls: tls === true ? {} : tls }),
    target,
  };
  return positioned(route, () => scope.place([...path, "rule"], "value"));
}

/** Worked out when asked for, as a service's; and no part of what a route is, so that moving a line changes none. */
function positioned(route: Omit<RouteConfig, "position">, place: () => Place): RouteConfig {
  const get = (): RouteConfig["position"] => {
    const { file, line, column } = place();
    return { file, line, column };
  };
  return Object.defineProperty(route, "position", { get }) as RouteConfig;
}

/** Not what would be more than one key in Redis, or more than one name in a label. */
export function isProxyName(name: string): boolean {
  return /^[^\s,/]+$/.test(name);
}

/** Scheme, host and port of a URL that has nothing else; `undefined`: it has, or is none. */
export function originOf(text: string): string | undefined {
  if (!/^https?:/.test(text) || !URL.canParse(text)) return undefined;
  const { pathname, search, hash, username, password, origin } = new URL(text);
  return pathname === "/" && search + hash + username + password === "" ? origin : undefined;
}

function checkNames(
  lists: Readonly<Record<string, readonly string[]>>,
  path: Path,
  scope: RoutesScope,
): void {
  for (const [key, names] of Object.entries(lists)) {
    for (const [index, name] of names.entries()) {
      if (!isProxyName(name))
        scope.report([...path, key, index], `expected a name without spaces, "," and "/", got "${name}"`);
    }
  }
}

function resolveTarget(
  { port, url }: RawRoute,
  { service, path }: { service: RoutedService; path: Path },
  { http, report }: RoutesScope,
): RouteTarget | undefined {
  if (url !== undefined) {
    if (port !== undefined)
      report([...path, "port"], "`port` and `url` exclude each other: a route leads to one place", "key");
    const origin = originOf(url);
    if (origin !== undefined) return { type: "url", url: origin };
    report(
      [...path, "url"],
      `expected scheme, host and port only, got "${url}": a route does not change the path; a middleware can`,
    );
    return undefined;
  }
  const own = port ?? service.port;
  if (own !== undefined) return { type: "port", port: own };
  if (service.module) {
    if (http) return { type: "runtime" };
    const message = "with `http: false` there is no port on which a module's routes are: add `port` or `url`";
    report(path, message, "key");
    return undefined;
  }
  const asked = service.probes.map(portOf).find((found) => found !== undefined);
  if (asked !== undefined) return { type: "port", port: asked };
  report(
    path,
    "where the process answers is not known: add `port`, or a readiness probe by `http` or `tcp`",
    "key",
  );
  return undefined;
}

function portOf(probe: ProbeConfig | undefined): number | undefined {
  if (probe?.type === "tcp") return probe.port;
  if (probe?.type !== "http") return undefined;
  const { port, protocol } = new URL(probe.url);
  return port === "" ? (protocol === "https:" ? 443 : 80) : Number(port);
}
