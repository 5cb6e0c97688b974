// The routes of a service as the runtime uses them, and the rules that each has to keep by itself. Whether two of them are in each
// other's way is for the core, which sees all.
import type { ProbeConfig, RouteConfig, RouteTarget } from "./config.ts";
import type { Place } from "./layers.ts";
import type { Path } from "./path.ts";
import { readRoute } from "./route.ts";
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
  const { route, problems } = readRoute(raw);
  for (const problem of problems) scope.report([...path, ...problem.path], problem.message, problem.part);
  const isPlaced = raw.port !== undefined || raw.url !== undefined;
  const target = isPlaced ? route?.target : targetOf(service, path, scope);
  if (!route || !target) return undefined;
  return positioned({ ...route, target }, () => scope.place([...path, "rule"], "value"));
}

/** Worked out when asked for, as a service's; and no part of what a route is, so that moving a line changes none. */
function positioned(route: Omit<RouteConfig, "position">, place: () => Place): RouteConfig {
  const get = (): RouteConfig["position"] => {
    const { file, line, column } = place();
    return { file, line, column };
  };
  return Object.defineProperty(route, "position", { get }) as RouteConfig;
}

/** Where it leads when it does not say: to where the service is known to answer. */
function targetOf(
  service: RoutedService,
  path: Path,
  { http, report }: RoutesScope,
): RouteTarget | undefined {
  if (service.port !== undefined) return { type: "port", port: service.port };
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
