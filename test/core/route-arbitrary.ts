// Random rules, with their text as people write it, and requests that have a chance to match them.
import * as fc from "fast-check";
import type { RoutedRequest } from "../../src/core/route-match.ts";

/** A rule as a tree of its own, told apart from the one under test. */
export type Said =
  | { kind: "host" | "path" | "prefix" | "method"; value: string }
  | { kind: "not"; of: Said }
  | { kind: "and" | "or"; of: [Said, Said] };

const HOSTS = ["shop.example", "api.shop.example", "other.example"];
const PATHS = ["/", "/api", "/api/orders", "/apis", "/static"];
const METHODS = ["GET", "POST"];

const leaf: fc.Arbitrary<Said> = fc.oneof(
  fc.constantFrom(...HOSTS, "*.shop.example").map((value) => ({ kind: "host" as const, value })),
  fc.constantFrom(...PATHS).map((value) => ({ kind: "path" as const, value })),
  fc.constantFrom(...PATHS).map((value) => ({ kind: "prefix" as const, value })),
  fc.constantFrom(...METHODS).map((value) => ({ kind: "method" as const, value })),
);

export const said: fc.Arbitrary<Said> = fc.letrec<{ said: Said }>((tie) => ({
  said: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    leaf,
    tie("said").map((of) => ({ kind: "not" as const, of })),
    fc.tuple(tie("said"), tie("said")).map((of) => ({ kind: "and" as const, of })),
    fc.tuple(tie("said"), tie("said")).map((of) => ({ kind: "or" as const, of })),
  ),
})).said;

export const request: fc.Arbitrary<RoutedRequest> = fc.record({
  host: fc.constantFrom(...HOSTS, "SHOP.example", "shop.example."),
  path: fc.constantFrom(...PATHS, "/api/%6frders"),
  method: fc.constantFrom(...METHODS),
  query: fc.constant(new Map()),
});

const NAMES = { host: "Host", path: "Path", prefix: "PathPrefix", method: "Method" } as const;
const STRENGTH = { or: 0, and: 1, not: 2, host: 3, path: 3, prefix: 3, method: 3 } as const;

/** Its text, with only the parentheses it needs; `loose`: with space and double quotes. */
export function textOf(rule: Said, { loose = false } = {}): string {
  const inner = (of: Said, least: number): string => {
    const text = textOf(of, { loose });
    return STRENGTH[of.kind] < least ? `(${text})` : text;
  };
  switch (rule.kind) {
    case "or":
      return `${inner(rule.of[0], 0)}${loose ? "  ||" : " || "}${inner(rule.of[1], 1)}`;
    case "and":
      return `${inner(rule.of[0], 1)}${loose ? "&& " : " && "}${inner(rule.of[1], 2)}`;
    case "not":
      return `!${inner(rule.of, 2)}`;
    default:
      return loose ? `${NAMES[rule.kind]}( "${rule.value}" )` : `${NAMES[rule.kind]}(\`${rule.value}\`)`;
  }
}

/** Whether it means the request, by the words of Traefik's manual. */
export function means(rule: Said, asked: RoutedRequest): boolean {
  const host = asked.host.toLowerCase().replace(/\.$/, "");
  const path = asked.path.replace("%6f", "o");
  switch (rule.kind) {
    case "or":
      return rule.of.some((each) => means(each, asked));
    case "and":
      return rule.of.every((each) => means(each, asked));
    case "not":
      return !means(rule.of, asked);
    case "host":
      return rule.value.startsWith("*") ? /^[^.]+\.shop\.example$/.test(host) : host === rule.value;
    case "path":
      return path === rule.value;
    case "prefix":
      return path.startsWith(rule.value);
    case "method":
      return asked.method === rule.value;
    default:
      return rule satisfies never;
  }
}
