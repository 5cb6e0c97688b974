import assert from "node:assert/strict";
import { test } from "node:test";
import { dependentsOn, graphProblems, select } from "../../src/core/graph.ts";
import { needs, spec } from "./arbitrary.ts";

const messages = (specs: Parameters<typeof graphProblems>[0]) =>
  graphProblems(specs).map(({ message }) => message);

test("graphProblems accepts what can be ordered", () => {
  assert.deepEqual(messages([spec("b", { dependencies: [needs("a")] }), spec("a")]), []);
});

test("graphProblems shows the whole circle", () => {
  const circle = [
    spec("a", { dependencies: [needs("b")] }),
    spec("b", { dependencies: [needs("c")] }),
    spec("c", { dependencies: [needs("a")] }),
  ];
  assert.deepEqual(messages(circle), ["Circular dependency detected at a: a → b → c → a"]);
});

test("graphProblems leaves out of the circle what only leads to it", () => {
  const specs = [
    spec("entry", { dependencies: [needs("a")] }),
    spec("a", { dependencies: [needs("b")] }),
    spec("b", { dependencies: [needs("a")] }),
  ];
  assert.deepEqual(messages(specs), ["Circular dependency detected at a: a → b → a"]);
});

test("graphProblems shows a service that needs itself", () => {
  assert.deepEqual(messages([spec("a", { dependencies: [needs("a")] })]), [
    "Circular dependency detected at a: a → a",
  ]);
});

test("graphProblems reports every problem at once", () => {
  const specs = [
    spec("a", { dependencies: [needs("foo")] }),
    spec("a"),
    spec("b", { dependencies: [needs("c")] }),
    spec("c", { dependencies: [needs("b")] }),
  ];
  assert.deepEqual(messages(specs), [
    "Duplicate service name 'a'",
    "Unknown dependency 'foo' for service 'a'",
    "Circular dependency detected at b: b → c → b",
  ]);
});

test("graphProblems walks a chain of 100,000 without recursion", () => {
  const chain = Array.from({ length: 100_000 }, (_, index) =>
    spec(`s${index}`, { dependencies: index === 99_999 ? [] : [needs(`s${index + 1}`)] }),
  );
  assert.deepEqual(messages(chain), []);
});

test("select takes what is needed and drops optional edges to the rest", () => {
  const specs = [
    spec("db"),
    spec("cache"),
    spec("api", { dependencies: [needs("db"), needs("cache", "ready", false)] }),
    spec("other"),
  ];
  const chosen = select(specs, ["api"]);
  assert.deepEqual(
    chosen.map(({ name }) => name),
    ["db", "api"],
  );
  assert.deepEqual(chosen[1]?.dependencies, [needs("db")]);
});

test("dependentsOn finds what requires a service or one of its replicas, whatever stands between", () => {
  const specs = [
    spec("page", { dependencies: [needs("api")] }),
    spec("api", { dependencies: [needs("db")] }),
    spec("db-1", { group: "db" }),
    spec("db-2", { group: "db" }),
    spec("mail", { dependencies: [{ ...needs("db"), required: false }] }),
    spec("other"),
  ];
  assert.deepEqual(dependentsOn(specs, ["db-2"]), ["page", "api"]);
  assert.deepEqual(dependentsOn(specs, ["db-1", "api"]), ["page"]);
  assert.deepEqual(dependentsOn(specs, ["page"]), []);
});
