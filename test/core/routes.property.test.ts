import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { readRule, type RuleNode } from "../../src/config/route-rule.ts";
import { matches, priorityOf, routeOf } from "../../src/core/route-match.ts";
import { routeConflicts, type Route } from "../../src/core/routes.ts";
import { means, request, said, textOf } from "./route-arbitrary.ts";

function ruleOf(text: string): RuleNode {
  const read = readRule(text);
  assert.ok("match" in read, `${text}: ${JSON.stringify(read)}`);
  return read.match;
}

function routeTo(service: string, rule: string, priority?: number): Route {
  return {
    service,
    rule,
    match: ruleOf(rule),
    entryPoints: [],
    middlewares: [],
    target: { type: "runtime" },
    ...(priority !== undefined && { priority }),
  };
}

test("a rule matches what it says, however it is written", () => {
  fc.assert(
    fc.property(said, request, fc.boolean(), (rule, asked, loose) => {
      assert.equal(matches(ruleOf(textOf(rule, { loose })), asked), means(rule, asked));
    }),
    { numRuns: 2_000 },
  );
});

test("of several rules that match, the one of the highest priority gets the request", () => {
  const routes = fc.array(fc.tuple(said, fc.option(fc.integer({ min: 1, max: 60 }), { nil: undefined })), {
    minLength: 1,
    maxLength: 6,
  });
  fc.assert(
    fc.property(routes, request, (given, asked) => {
      const all = given.map(([rule, priority], index) => routeTo(`s${index}`, textOf(rule), priority));
      const able = all.filter((_, index) => means(given[index]![0], asked));
      const highest = Math.max(...able.map(priorityOf));
      assert.equal(
        routeOf(all, asked),
        able.find((route) => priorityOf(route) === highest),
      );
    }),
  );
});

test("two routes of one rule are in each other's way, unless their priorities or entry points differ", () => {
  fc.assert(
    fc.property(said, (rule) => {
      const text = textOf(rule);
      const one = routeTo("one", text);
      const written = routeTo("other", ` ${text} `.trim());
      assert.equal(routeConflicts([one, written], "shop").length, 1);
      assert.equal(routeConflicts([one, { ...written, priority: text.length + 1 }], "shop").length, 0);
      const apart = [
        { ...one, entryPoints: ["web"] },
        { ...written, entryPoints: ["internal"] },
      ];
      assert.equal(routeConflicts(apart, "shop").length, 0);
    }),
  );
});

test("reading a rule never throws, and what is wrong stands within the text", () => {
  const piece = fc.constantFrom(
    ..."( ) ! && || & | , ` \" ' Host PathPrefix Nope /api a.b * \\ \n \t é (?i)".split(" "),
    " ",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const text = pieces.join("");
      const read = readRule(text);
      if ("problem" in read) assert.ok(read.at >= 1 && read.at <= text.length + 1, `${read.at} in ${text}`);
    }),
    { numRuns: 5_000 },
  );
});
