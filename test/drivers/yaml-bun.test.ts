import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { readDocument } from "../../src/config/document.ts";
import { parseYaml } from "../../src/drivers/yaml-bun.ts";

const root = join(import.meta.dirname, "../..");

/** Every number and boolean of a document, as it is written. */
function literals(document: { value: unknown; literal(path: (string | number)[]): string }): string[] {
  const walk = (value: unknown, path: (string | number)[]): string[] => {
    if (typeof value === "number" || typeof value === "boolean") return [document.literal(path)];
    if (Array.isArray(value)) return value.flatMap((child: unknown, index) => walk(child, [...path, index]));
    if (typeof value !== "object" || value === null) return [];
    return Object.entries(value).flatMap(([key, child]) => walk(child, [...path, key]));
  };
  return walk(document.value, []);
}

/** What the real reader says of a text that was vouched for, beside what it was vouched to mean. */
function assertAgreed(text: string): void {
  const quick = readDocument(text, parseYaml);
  const real = readDocument(text);
  assert.ok(!("problems" in quick));
  assert.ok(!("problems" in real), `vouched for: ${JSON.stringify(text)}`);
  assert.deepEqual(quick.value, real.value);
  // Services start in the order in which they are written, and `user: 022` is the text "022".
  assert.equal(JSON.stringify(quick.value), JSON.stringify(real.value));
  assert.deepEqual(literals(quick), literals(real));
}

const SCALARS = [
  ..."a|b|true|false|null|~|True|FALSE|Null|yes|no|on|off|y|n|infinity|NaN|.nan|.inf|-.INF".split("|"),
  ..."0|1|-1|+1|-0|1.5|1.0|0.10|.5|5.|1e3|1E3|1e21|1e400|017|08|0o17|-0o7|0x1F|-0x1|+0x1|0b1|1_000".split(
    "|",
  ),
  ..."123456789012345678901|1,000|12:30|1:1|2001-01-01|2001-12-14t21:59:43.10-05:00|10ms..10s|1.2.3".split(
    "|",
  ),
  ..."./file.ts#Name|http://x:1/|127.0.0.1:80|--port|-a|- b|-|:a|a:|a:b|?a|? a|a b|a  b|a#b|a #b|#|a,b".split(
    "|",
  ),
  ...`"a"|'b'|"a: b"|'it''s'|it's|"it's"|'"'|"x # y"|'x # y'|"\\n"|"\\"|"\\\\"|"\\x41"|"\\u00e9"|"\\e"|"a"b|"open|'open`.split(
    "|",
  ),
  ..."é|日本|😀|\u00a0|\u00ad|\u1680|\u2028|\u3000|\ufeff|\u0007|\u0085|\u007f|\t|a\t|\ta|\r|a\r|<<|=|&a b|&a|*a".split(
    "|",
  ),
  ..."!!str 1|!x|@a|`a`|%|$|${A}|$$|__proto__|constructor|toString|---|...|--- a|[|]|{|}|[]|{}|,".split("|"),
];
const ENDS = [
  "",
  "",
  "",
  " ",
  " # c",
  " #c",
  '# c: "d"',
  " # it's: x",
  "\t",
  "\r",
  ",",
  ":",
  " |",
  " >-",
  " b: c",
];
const LINES = [
  "---",
  "...",
  "%YAML 1.2",
  "# c",
  "  # c: 'd'",
  "",
  "  ",
  "\t",
  "? a",
  ": b",
  "text",
  "  text",
];

const scalar = fc.constantFrom(...SCALARS);
const flow = fc.letrec<{ value: string; list: string; map: string }>((tie) => ({
  value: fc.oneof({ depthSize: "small" }, { weight: 3, arbitrary: scalar }, tie("list"), tie("map")),
  list: fc
    .tuple(fc.array(tie("value"), { maxLength: 3 }), fc.constantFrom(", ", ", ", ",", " , ", ",\n  "))
    .map(([items, separator]) => `[${items.join(separator)}]`),
  map: fc
    .tuple(
      fc.array(fc.tuple(scalar, fc.constantFrom(": ", ": ", ":", " : "), tie("value")), { maxLength: 3 }),
      fc.constantFrom(", ", ", ", ",", ",}"),
    )
    .map(([entries, separator]) => `{${entries.map((entry) => entry.join("")).join(separator)}}`),
}));
const line = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .tuple(
        fc.constantFrom("", "", "  ", "  ", "    ", " "),
        fc.constantFrom("", "", "", "- ", "- - ", "-"),
        fc.oneof(
          fc.constant(""),
          fc.constantFrom("a: ", "b: ", "c: ", "a:", "1: "),
          scalar.map((key) => `${key}: `),
        ),
        fc.oneof(fc.constant(""), flow.value),
        fc.constantFrom(...ENDS),
      )
      .map((parts) => parts.join("")),
  },
  fc.constantFrom(...LINES),
);
const text = fc
  .tuple(fc.array(line, { minLength: 1, maxLength: 6 }), fc.constantFrom("\n", "\n", "\n", "\r\n"))
  .map(([lines, end]) => lines.join(end) + end);

test("parseYaml vouches only for what the real reader accepts with an equal value", () => {
  let vouched = 0;
  const property = fc.property(text, (yaml) => {
    const value = parseYaml(yaml);
    if (value === undefined || value === null) return;
    vouched++;
    assertAgreed(yaml);
  });
  fc.assert(property, { numRuns: 20_000 });
  assert.ok(vouched > 500, `only ${vouched} texts were vouched for`);
});

const json = fc
  .tuple(
    fc.dictionary(
      fc.oneof(fc.string(), scalar),
      fc.oneof(fc.jsonValue(), scalar, fc.dictionary(scalar, fc.jsonValue())),
      { minKeys: 1, maxKeys: 4 },
    ),
    fc.constantFrom(undefined, undefined, 1, 2, 2, 4, "\t"),
    fc.constantFrom("", "\n", "\n", "\n", "\n\n", " # c\n", "\n---\n", ","),
    // A name that comes again, a number in another spelling.
    fc.constantFrom(
      ...["", "", '"b"', '"a"', "1", "1.0", "\\\\u0061"].map((other) => [other || "a", "a"] as const),
    ),
  )
  .map(
    ([value, indent, end, [other, one]]) =>
      JSON.stringify(value, undefined, indent).replace(one, other) + end,
  );

test("parseYaml vouches only for JSON that the real reader accepts with an equal value", () => {
  let vouched = 0;
  const property = fc.property(json, (text) => {
    if (parseYaml(text) === undefined) return;
    vouched++;
    assertAgreed(text);
  });
  fc.assert(property, { numRuns: 10_000 });
  assert.ok(vouched > 500, `only ${vouched} texts were vouched for`);
});

test("parseYaml vouches for JSON over several lines", () => {
  const text = JSON.stringify(
    { http: { port: 80 }, services: { a: { command: ["b", "c: d"] } } },
    undefined,
    2,
  );
  assert.ok(parseYaml(text));
  assertAgreed(text);
});

/** Each of these Bun reads in another way than YAML 1.2 core, or accepts though the config refuses it. */
const DECLINED: Record<string, string> = {
  "a key twice": "a: 1\na: 2\n",
  "a key twice, quoted once": '"a": 1\na: 2\n',
  "a key twice in brackets": "a: { b: 1, b: 2 }\n",
  "a key twice beside a comment with an entry": "a: 1 # b: 2\na: 3\n",
  "a key twice beside a quoted text with an entry": 'a: "b: 2"\na: 3\n',
  "a key twice, once as a number": '1: a\n"1": b\n',
  "a key that is null": "null: a\n",
  "a key that is a collection": "{}: a\n",
  "a key in brackets that is a collection": "a: { [b]: c }\n",
  "a key longer than 1024 characters": `${"a".repeat(1025)}: b\n`,
  "carriage returns": "a: b\r\nc: d\r\n",
  tabs: "a:\tb\n",
  "a tab as indentation": "a:\n\tb: c\n",
  "a byte order mark": "\ufeffa: b\n",
  "several documents": "a: 1\n---\na: 2\n",
  "a directive": "%YAML 1.1\n---\na: yes\n",
  "an anchor": "a: &x 1\nb: *x\n",
  "a merge key": "a: { <<: { b: 1 } }\n",
  "a tag": "a: !!str 1\n",
  "an explicit key": "? a\n: b\n",
  "a number in another spelling": "a: 022\n",
  "a signed hexadecimal number": "a: -0x1\n",
  "a boolean in another spelling": "a: TRUE\n",
  infinity: "a: .inf\n",
  "an escape that is not common to all": 'a: "\\x41"\n',
  "a list that ends in a comma": "a: [b, ]\n",
  "an entry without a value in brackets": "a: {b}\n",
  "brackets that do not match": "a: [b}\n",
  "brackets over several lines": "a: [\n  b\n]\n",
  "a text over several lines": "a: b\n  c\n",
  "a quoted text over several lines": 'a: "b\n  c"\n',
  "a block text": "a: |\n  b\n",
  "JSON with a key twice": '{ "a": 1, "b": { "a": 1, "a": 2 } }',
  "JSON with a number in another spelling": '{ "a": 1.0 }',
  "JSON with an escape that is not common to all": '{ "a": "\\u0061" }',
  "JSON with a key longer than 1024 characters": `{ "${"a".repeat(1025)}": 1 }`,
  nothing: "",
};

for (const [what, yaml] of Object.entries(DECLINED)) {
  test(`parseYaml declines ${what}`, () => {
    assert.equal(parseYaml(yaml) ?? undefined, undefined);
  });
}

test("parseYaml vouches for every config that comes with the runtime", () => {
  const files = globSync("config/**/*.yaml", { cwd: root });
  assert.ok(files.length >= 8);
  for (const file of files) {
    const yaml = readFileSync(join(root, file), "utf8");
    assert.ok(parseYaml(yaml), file);
    assertAgreed(yaml);
  }
});
