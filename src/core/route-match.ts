// Which requests a rule means, as Traefik decides it (version 3): hosts without regard to case, paths by text and not by segment, and
// of several rules the one of the highest priority, which is its length unless it says one. Nothing here reads rules.
import type { RouteConfig } from "../config/config.ts";
import type { RuleNode } from "../config/route-rule.ts";

/** What a rule can ask about a request; what is not known matches nothing. */
export interface RoutedRequest {
  /** Without port. */
  host: string;
  /** As it is sent, percent-encoding included. */
  path: string;
  /** Of the query, decoded, by name. */
  query: ReadonlyMap<string, readonly string[]>;
  method?: string;
  /** By name in small letters. */
  headers?: ReadonlyMap<string, readonly string[]>;
}

type Matched = Pick<RouteConfig, "rule" | "match" | "priority">;

/** What Traefik orders routes by: the highest first. */
export function priorityOf({ rule, priority }: Pick<Matched, "rule" | "priority">): number {
  return priority ?? new TextEncoder().encode(rule).length;
}

/** The route that gets the request, or `undefined`. Of two with one priority the earlier one. */
export function routeOf<Route extends Matched>(
  routes: readonly Route[],
  request: RoutedRequest,
): Route | undefined {
  return routes
    .toSorted((one, other) => priorityOf(other) - priorityOf(one))
    .find(({ match }) => matches(match, request));
}

/** A request as a browser would make it for this URL. */
export function requestOf(url: URL): RoutedRequest {
  const query = new Map<string, string[]>();
  for (const [name, value] of url.searchParams) query.set(name, [...(query.get(name) ?? []), value]);
  return { host: url.hostname, path: url.pathname, query, method: "GET" };
}

export function matches(rule: RuleNode, request: RoutedRequest): boolean {
  switch (rule.type) {
    case "and":
      return matches(rule.left, request) && matches(rule.right, request);
    case "or":
      return matches(rule.left, request) || matches(rule.right, request);
    case "not":
      return !matches(rule.inner, request);
    case "match":
      return isMet(rule, request);
    default:
      return rule satisfies never;
  }
}

function isMet(
  { matcher, values, pattern }: Extract<RuleNode, { type: "match" }>,
  { host, path, query, method, headers }: RoutedRequest,
): boolean {
  const [first = "", second = ""] = values;
  const given = () => headers?.get(first.toLowerCase()) ?? [];
  switch (matcher) {
    case "Host":
      return isHost(host.toLowerCase(), first.toLowerCase());
    case "HostRegexp":
      return pattern?.test(host.toLowerCase()) ?? false;
    case "Path":
      return routingPath(path) === first;
    case "PathPrefix":
      return routingPath(path).startsWith(first);
    case "PathRegexp":
      return pattern?.test(routingPath(path)) ?? false;
    case "Method":
      return method === first.toUpperCase();
    case "Header":
      return given().includes(second);
    case "HeaderRegexp":
      return given().some((value) => pattern?.test(value));
    case "Query":
      return query.get(first)?.includes(second) ?? false;
    case "QueryRegexp":
      return query.get(first)?.some((value) => (pattern ? pattern.test(value) : value === second)) ?? false;
    case "ClientIP":
      return false;
    default:
      return matcher satisfies never;
  }
}

/** `*` is every host, `*.example.com` one label more than `example.com`; a full stop at the end means nothing. */
function isHost(host: string, wanted: string): boolean {
  if (wanted === "*") return true;
  const bare = host.replace(/\.$/, "");
  const pattern = wanted.replace(/\.$/, "");
  if (!pattern.startsWith("*")) return bare === pattern;
  const [, ...rest] = bare.split(".");
  return ["*", ...rest].join(".") === pattern;
}

/** What stays encoded when a path is looked at: these characters would mean something else by themselves. */
const RESERVED = /%(?:3A|2F|3F|23|5B|5D|40|21|24|26|27|28|29|2A|2B|2C|3B|3D|25)/i;

function routingPath(path: string): string {
  return path.replace(/(?:%[\da-f]{2})+/gi, (run) =>
    run
      .split(new RegExp(`(${RESERVED.source})`, "i"))
      .map((part) => (RESERVED.test(part) ? part : decoded(part)))
      .join(""),
  );
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
