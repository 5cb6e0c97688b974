import assert from "node:assert/strict";
import { test } from "node:test";
import { readDocument } from "../../src/config/document.ts";

/** What stands at the end of a file that is not a config, by what it is. `at`: where and why. */
const REFUSED: Record<string, { text: string; at: string | RegExp }> = {
  nothing: { text: "", at: "1:1 the file is empty" },
  "a comment only": { text: "# nothing\n", at: "1:1 the file is empty" },
  null: { text: "~\n", at: "1:1 the file is empty" },
  "a bracket that is not closed, once": {
    text: "a: [b,\n  [c\n",
    at: "3:1 invalid YAML: Flow sequence in block collection must be sufficiently indented and end with a ]",
  },
  "a bracket too many": { text: "a: {b: c}}\n", at: /^1:10 invalid YAML: Unexpected flow-map-end/ },
  "a variable without quotes in a map": {
    text: "a: { b: 1, c: ${HOME}/d }\n",
    at: "1:15 put ${HOME} into quotes: between brackets YAML takes its brace for a map",
  },
  "a variable without quotes in a list": {
    text: "a: [b, ${C}]\n",
    at: "1:8 put ${C} into quotes: between brackets YAML takes its brace for a map",
  },
  "a quote that is not closed": { text: "a: 'b\n", at: "2:1 invalid YAML: Missing closing 'quote" },
  "a map inside a scalar": { text: "a: b: c\n", at: /^1:4 invalid YAML: Nested mappings/ },
  "wrong indentation": { text: "a:\n    b: 1\n  c: 2\n", at: /^3:1 invalid YAML: / },
  "a tab as indentation": {
    text: "a:\n\tb: c\n",
    at: "2:1 invalid YAML: Tabs are not allowed as indentation",
  },
  "a key twice": { text: "a: 1\nb: 2\na: 3\n", at: "3:1 this key stands here a second time" },
  "a key twice in brackets": { text: "a: { b: 1, b: 2 }", at: "1:12 this key stands here a second time" },
  "a second document": {
    text: "a: 1\n---\nb: 2\n",
    at: "2:1 a second document starts here; a config file holds one: use several -c files",
  },
  "an alias of nothing": { text: "a: &x 1\nb: *y\n", at: '2:4 cannot find "&y" before this "*y"' },
  "an alias before its anchor": { text: "a: *x\nb: &x 1\n", at: '1:4 cannot find "&x" before this "*x"' },
  "a list as a key": { text: "a:\n  ? [b]\n  : c\n", at: "2:5 expected a text as the key" },
  "a map as a key": { text: "a: { {b: c}: d }", at: "1:6 expected a text as the key" },
  "a merge of what is no map": {
    text: "a: { <<: 5 }",
    at: /^1:1 cannot read YAML: Merge sources must be maps/,
  },
  "a tag that is not known": { text: "a: !!js/function b\n", at: /^1:4 invalid YAML: Unresolved tag/ },
  "another version of YAML": {
    text: "%YAML 9.9\n---\na: b\n",
    at: "1:7 invalid YAML: Unsupported YAML version 9.9",
  },
  "an alias of what it stands in": { text: "a: &a [*a]\n", at: "1:1 nested deeper than 64 levels" },
  "65 levels": { text: `a: ${"[".repeat(64)}${"]".repeat(64)}\n`, at: "1:1 nested deeper than 64 levels" },
  "levels that exhaust the stack": { text: "[".repeat(20_000), at: /^1:\d+ nested deeper than 64 levels$/ },
};

for (const [what, { text, at }] of Object.entries(REFUSED)) {
  test(`readDocument refuses ${what}, and says where`, () => {
    const result = readDocument(text);
    assert.ok("problems" in result);
    const [problem, ...others] = result.problems.map(
      ({ line, column, message }) => `${line}:${column} ${message}`,
    );
    if (typeof at === "string") assert.equal(problem, at);
    else assert.match(problem ?? "", at);
    assert.deepEqual(others, []);
  });
}

test("readDocument reports every problem", () => {
  const result = readDocument("a: 1\na: 2\nb: 1\nb: 2\n");
  assert.ok("problems" in result);
  assert.deepEqual(
    result.problems.map(({ line }) => line),
    [2, 4],
  );
});

test("readDocument refuses a billion laughs before they are heard", () => {
  const levels = Array.from({ length: 9 }, (_, level) => {
    const item = level === 0 ? "ha" : `*l${level - 1}`;
    return `l${level}: &l${level} [${Array.from({ length: 10 }, () => item).join(", ")}]`;
  });
  assert.deepEqual(readDocument(levels.join("\n")), {
    problems: [
      {
        line: 1,
        column: 1,
        message: "cannot read YAML: Excessive alias count indicates a resource exhaustion attack",
      },
    ],
  });
});

/** What YAML 1.2 core, with merge keys, means by a text. */
const READ: Record<string, { text: string; value: unknown }> = {
  "64 levels": {
    text: `a: ${"[".repeat(63)}${"]".repeat(63)}`,
    value: { a: JSON.parse(`${"[".repeat(63)}${"]".repeat(63)}`) as unknown },
  },
  "words of YAML 1.1 as texts": {
    text: "[yes, no, on, off, y, 2001-01-01, 12:30, 1_000]",
    value: ["yes", "no", "on", "off", "y", "2001-01-01", "12:30", "1_000"],
  },
  numbers: { text: "[017, 0o17, 0x1F, 1e3, -1.5, .5]", value: [17, 15, 31, 1000, -1.5, 0.5] },
  "booleans and nulls": { text: "[true, False, TRUE, null, ~, ]", value: [true, false, true, null, null] },
  "keys as they are written": {
    text: "{ 022: a, 0x1F: b, 1.0: c, True: d, null: e }",
    value: { "022": "a", "0x1F": "b", "1.0": "c", True: "d", null: "e" },
  },
  "anchors, aliases and merge keys": {
    text: "a: &a { x: 1, y: 2 }\nb: { <<: *a, y: 3 }\nc: { <<: [*a, { z: 4 }] }\nd: *a\n",
    value: { a: { x: 1, y: 2 }, b: { x: 1, y: 3 }, c: { x: 1, y: 2, z: 4 }, d: { x: 1, y: 2 } },
  },
  "block texts": { text: "a: |\n  b\n  c\nd: >-\n  e\n  f\n", value: { a: "b\nc\n", d: "e f" } },
  "carriage returns": { text: "a: b\r\nc: [d,\r\n  e]\r\n", value: { a: "b", c: ["d", "e"] } },
  "a directive and a start": { text: "%YAML 1.2\n---\na: b\n...\n", value: { a: "b" } },
};

for (const [what, { text, value }] of Object.entries(READ)) {
  test(`readDocument reads ${what}`, () => {
    const result = readDocument(text);
    assert.ok("value" in result, JSON.stringify(result));
    assert.deepEqual(result.value, value);
  });
}

test("literal gives a scalar back as it is written", () => {
  const result = readDocument("a: [022, True, 1.50, .5, 0x1F]\n022: &m { b: 1e3 }\nc: { <<: *m, d: 08 }\n");
  assert.ok("value" in result);
  const literals = [
    ["a", 0],
    ["a", 1],
    ["a", 2],
    ["a", 3],
    ["a", 4],
    ["022", "b"],
    ["c", "b"],
    ["c", "d"],
  ];
  assert.deepEqual(literals.map(result.literal), ["022", "True", "1.50", ".5", "0x1F", "1e3", "1e3", "08"]);
});

test("position finds keys and values, through aliases, and otherwise what is around", () => {
  const result = readDocument("a: &a\n  b: [c, d]\ne: *a\n'f g': { 1: h }\n");
  assert.ok("value" in result);
  const at = (path: (string | number)[], part: "key" | "value") => {
    const { line, column } = result.position(path, part);
    return `${line}:${column}`;
  };
  assert.equal(at([], "value"), "1:1");
  assert.equal(at(["a", "b"], "key"), "2:3");
  assert.equal(at(["a", "b", 1], "value"), "2:10");
  assert.equal(at(["e"], "key"), "3:1");
  assert.equal(at(["e", "b", 0], "value"), "2:7");
  assert.equal(at(["f g", "1"], "value"), "4:13");
  assert.equal(at(["f g", "unheard", "of"], "value"), "4:8");
});
