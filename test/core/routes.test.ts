import assert from "node:assert/strict";
import { test } from "node:test";
import { readRule } from "../../src/config/route-rule.ts";
import { requestOf, routeOf } from "../../src/core/route-match.ts";
import { publicUrl, routeConflicts, routersOf, type Route } from "../../src/core/routes.ts";

function routeTo(service: string, rule: string, details: Partial<Route> = {}): Route {
  const read = readRule(rule);
  assert.ok("match" in read, JSON.stringify(read));
  const { match } = read;
  return {
    service,
    rule,
    match,
    entryPoints: [],
    middlewares: [],
    target: { type: "runtime" },
    ...details,
  };
}

/** A rule, and what is wrong with it, with the place. */
const WRONG: [rule: string, at: number, problem: RegExp][] = [
  ["", 1, /expected a matcher, as PathPrefix\(`\/api`\), got the end/],
  ["PathPrefx(`/a`)", 1, /unknown matcher "PathPrefx"; did you mean "PathPrefix"\?/],
  ["host(`a`)", 1, /did you mean "Host"\?/],
  ["Headers(`a`, `b`)", 1, /it is Header since Traefik 3/],
  ["Host(`a`, `b`)", 1, /Host takes 1 value, got 2; write Host\(`a`\) \|\| Host\(`b`\)/],
  ["Header(`a`)", 1, /takes 2 values, got 1/],
  ["Query(`a`, `b`, `c`)", 1, /takes 1 or 2 values, got 3/],
  ["Host()", 1, /takes 1 value, got 0/],
  ["Host(`a`", 5, /the `\(` of Host is not closed/],
  ["Host(`a)", 6, /this backtick is not closed/],
  ['Host("a)', 6, /this quote is not closed/],
  ["Host('a')", 6, /Traefik does not take single quotes/],
  ["Host(``)", 6, /is empty/],
  ["Host a", 6, /expected `\(` after Host/],
  ["Path(`api`)", 6, /a path starts with "\/"/],
  ["Host(`https://a`)", 6, /without scheme, port and path/],
  ["Host(`a:80`)", 6, /without scheme, port and path/],
  ["Host(`ä`)", 6, /in ASCII/],
  ["PathRegexp(`(`)", 12, /cannot read the regular expression/],
  ["(Host(`a`)", 1, /this `\(` is not closed/],
  ["Host(`a`))", 10, /expected `&&`, `\|\|` or the end, got "\)"/],
  ["Host(`a`) & Path(`/`)", 11, /expected `&&`/],
  ["Host(`a`) &&", 13, /expected a matcher/],
  ["Host(`a`)\n&& Path(`/`)", 10, /in one line/],
  ["!".repeat(40) + "Host(`a`)", 33, /nested deeper/],
  ["Path(`/" + "a".repeat(5000) + "`)", 4097, /longer than 4096/],
];

for (const [rule, at, problem] of WRONG) {
  test(`readRule refuses ${JSON.stringify(rule.slice(0, 30))}`, () => {
    const read = readRule(rule);
    assert.ok("problem" in read);
    assert.match(read.problem, problem);
    assert.equal(read.at, at);
  });
}

test("a request goes to the longer rule, and to a shorter one of higher priority", () => {
  const api = routeTo("api", "PathPrefix(`/api`)");
  const orders = routeTo("orders", "PathPrefix(`/api/orders`)");
  const ask = (routes: Route[], url: string) => routeOf(routes, requestOf(new URL(url)))?.service;
  assert.equal(ask([api, orders], "http://x/api/orders/1"), "orders");
  assert.equal(ask([{ ...api, priority: 100 }, orders], "http://x/api/orders/1"), "api");
  assert.equal(ask([api, orders], "http://x/apis"), "api");
  assert.equal(ask([api, orders], "http://x/"), undefined);
});

test("every matcher is decided as Traefik decides it", () => {
  const is = (rule: string, url: string) =>
    routeOf([routeTo("a", rule)], requestOf(new URL(url))) !== undefined;
  assert.ok(is("HostRegexp(`^(a|b)\\.example$`)", "http://B.example/"));
  assert.ok(is("PathRegexp(`(?i)^/API/\\d+$`)", "http://x/api/7"));
  assert.ok(is("PathRegexp(`^/(?P<id>\\d+)$`)", "http://x/7"));
  assert.ok(is("Query(`a`, `1`)", "http://x/?a=2&a=1"));
  assert.ok(is("Query(`a`)", "http://x/?a="));
  assert.ok(!is("Query(`a`)", "http://x/?a=1"));
  assert.ok(is("QueryRegexp(`a`, `^\\d$`)", "http://x/?a=1"));
  assert.ok(is("Method(`get`)", "http://x/"));
  assert.ok(!is("ClientIP(`10.0.0.0/8`)", "http://x/"));
  assert.ok(is("PathPrefix(`/a b`)", "http://x/a%20b/c"));
  assert.ok(is("PathPrefix(`/a%2Fb`)", "http://x/a%2Fb"));
  assert.ok(!is("PathPrefix(`/a/b`)", "http://x/a%2Fb"));
  assert.ok(is("Host(`*`)", "http://whatever/"));
  assert.ok(!is("Host(`*.b.example`)", "http://b.example/"));
});

test("Header looks at every value of the header, whatever the case of its name", () => {
  const rule = routeTo("a", "Header(`X-Kind`, `beta`) || HeaderRegexp(`X-Age`, `^[0-9]+$`)");
  const asked = (headers: [string, string[]][]) => ({
    ...requestOf(new URL("http://x/")),
    headers: new Map(headers),
  });
  assert.ok(routeOf([rule], asked([["x-kind", ["alpha", "beta"]]])));
  assert.ok(routeOf([rule], asked([["x-age", ["7"]]])));
  assert.equal(routeOf([rule], asked([["x-age", ["old"]]])), undefined);
});

test("rules that say the same are the same, in whatever order and quotes", () => {
  const one = routeTo("one", "Host(`A.example`) && PathPrefix(`/x`)");
  const other = routeTo("other", 'PathPrefix("/x") && Host("a.example")');
  assert.equal(one.rule.length, other.rule.length);
  const [conflict] = routeConflicts([one, other], "shop");
  assert.equal(conflict?.other, one);
  assert.match(conflict?.message ?? "", /to "other": "one" has the same rule with the same priority/);
});

test("two services that Traefik would know by one name are in each other's way", () => {
  const routes = [routeTo("a.b", "Path(`/1`)"), routeTo("a-b", "Path(`/2`)"), routeTo("c", "Path(`/3`)")];
  const [conflict, ...more] = routeConflicts(routes, "shop");
  assert.match(conflict?.message ?? "", /Traefik would know it as "shop-a-b"/);
  assert.equal(more.length, 0);
});

test("routers are named by their service, and lead to one balancer where they lead to one place", () => {
  const admin = { target: { type: "port", port: 9 } } as const;
  const routes = [
    routeTo("api", "Path(`/1`)"),
    routeTo("api", "Path(`/2`)"),
    routeTo("api", "Path(`/3`)", admin),
    routeTo("web", "Path(`/4`)", admin),
  ];
  assert.deepEqual(
    routersOf(routes, "my shop").map(({ name, balancer }) => [name, balancer]),
    [
      ["my-shop-api", "my-shop-api"],
      ["my-shop-api-2", "my-shop-api"],
      ["my-shop-api-3", "my-shop-api-3"],
      ["my-shop-web", "my-shop-web"],
    ],
  );
});

test("publicUrl is what the rule names for certain", () => {
  const url = (rule: string, details: Partial<Route> = {}) => publicUrl(routeTo("a", rule, details));
  assert.equal(url("Host(`a.example`) && PathPrefix(`/api`)"), "http://a.example/api");
  assert.equal(url("Host(`a.example`)", { tls: {} }), "https://a.example/");
  assert.equal(url("(Host(`a.example`) || Host(`b.example`)) && Path(`/x`)"), "http://a.example/x");
  assert.equal(url("PathPrefix(`/api`)"), "/api");
  assert.equal(url("Host(`*.example`) && PathPrefix(`/api`)"), "/api");
  assert.equal(url("!Host(`a.example`)"), undefined);
  assert.equal(url("Method(`GET`)"), undefined);
});
