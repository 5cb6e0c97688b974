// What one route says by itself, in a config as in code: its rule, the names in it and where it leads. Who reports what is wrong, and
// where it leads if it does not say, is for those who have it.
import type { RouteConfig, RouteTarget } from "./config.ts";
import type { Path } from "./path.ts";
import { isPort, PORT_RULE } from "./port.ts";
import { readRule } from "./route-rule.ts";

export interface GivenRoute extends Partial<Pick<RouteConfig, "entryPoints" | "middlewares" | "priority">> {
  rule: string;
  tls?: boolean | NonNullable<RouteConfig["tls"]> | undefined;
  port?: number | undefined;
  url?: string | undefined;
}

/** `target` is there when the route says itself where it leads. */
type ReadRoute = Omit<RouteConfig, "position" | "target"> & { target?: RouteTarget };

export interface RouteProblem {
  /** Which part of the route, as `["middlewares", 1]`. */
  path: Path;
  message: string;
  /** What it is about, when not the value. */
  part?: "key";
}

/** With problems there is no route. */
export function readRoute(given: GivenRoute): { route?: ReadRoute; problems: readonly RouteProblem[] } {
  const { entryPoints = [], middlewares = [], priority, tls } = given;
  const rule = given.rule.trim();
  const read = readRule(rule);
  const problems = [
    ...("problem" in read
      ? [{ path: ["rule"], message: `cannot read the rule at character ${read.at}: ${read.problem}` }]
      : []),
    ...nameProblems({ entryPoints, middlewares }),
    ...targetProblems(given),
  ];
  if (priority !== undefined && !(Number.isSafeInteger(priority) && priority >= 0))
    problems.push({ path: ["priority"], message: `expected a whole number, 0 or more, got ${priority}` });
  if ("problem" in read || problems.length > 0) return { problems };
  const details = tls === true ? {} : tls || undefined;
  const target = targetOf(given);
  const route: ReadRoute = {
    rule,
    match: read.match,
    entryPoints,
    middlewares,
    ...(priority !== undefined && priority > 0 && { priority }),
    ...(details && { tls: details }),
    ...(target && { target }),
  };
  return { route, problems };
}

function targetOf({ url, port }: GivenRoute): RouteTarget | undefined {
  if (url !== undefined) return { type: "url", url: originOf(url) ?? url };
  return port === undefined ? undefined : { type: "port", port };
}

function nameProblems(lists: Readonly<Record<string, readonly string[]>>): RouteProblem[] {
  return Object.entries(lists).flatMap(([key, names]) =>
    names.flatMap((name, index) =>
      isProxyName(name)
        ? []
        : [{ path: [key, index], message: `expected a name without spaces, "," and "/", got "${name}"` }],
    ),
  );
}

function targetProblems({ url, port }: GivenRoute): RouteProblem[] {
  const problems: RouteProblem[] = [];
  if (port !== undefined && !isPort(port))
    problems.push({ path: ["port"], message: `expected ${PORT_RULE}, got ${port}` });
  if (url === undefined) return problems;
  if (port !== undefined) {
    const message = "`port` and `url` exclude each other: a route leads to one place";
    problems.push({ path: ["port"], message, part: "key" });
  }
  if (originOf(url) === undefined) {
    const message = `expected scheme, host and port only, got "${url}": a route does not change the path; a middleware can`;
    problems.push({ path: ["url"], message });
  }
  return problems;
}

/** Not what would be more than one key in Redis, or more than one name in a label. */
function isProxyName(name: string): boolean {
  return /^[^\s,/]+$/.test(name);
}

/** Scheme, host and port of a URL that has nothing else; `undefined`: it has, or is none. */
function originOf(text: string): string | undefined {
  if (!/^https?:/.test(text) || !URL.canParse(text)) return undefined;
  const { pathname, search, hash, username, password, origin } = new URL(text);
  return pathname === "/" && search + hash + username + password === "" ? origin : undefined;
}
