import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { expand } from "../../src/config/interpolation.ts";
import { loadConfig } from "../../src/config/load.ts";
import { memoryConfig } from "../fakes/config-files.ts";
import { configOf, problemsOf, serviceOf } from "./reading.ts";

const ENV: Record<string, string> = { A: "val", EMPTY: "", DIR: "/d", NESTED: "${A}" };
const FILES: Record<string, string> = { "/d/s": "from file", rel: "relative" };

/** A text with its references resolved, and everything that was reported. */
function expanded(text: string): { value: string; reports: string[] } {
  const reports: string[] = [];
  const value = expand(text, {
    variable: (name) => ENV[name],
    file: (path) => FILES[path] ?? "",
    report: (message) => reports.push(message),
    unset: (name) => reports.push(`unset ${name}`),
  });
  return { value, reports };
}

const RESOLVED: Record<string, string> = {
  plain: "plain",
  "": "",
  "${A}": "val",
  "<${A}${A}>": "<valval>",
  "${EMPTY}": "",
  "${NESTED}": "${A}",
  "${A:-d}": "val",
  "${EMPTY:-d}": "d",
  "${NONE:-d}": "d",
  "${NONE:-}": "",
  "${NONE:-${A}}": "val",
  "${NONE:-${OTHER:-x${A}y}}": "xvaly",
  "${NONE:-{a: b}}": "{a: b}",
  "${NONE:-two\nlines}": "two\nlines",
  "${NONE:-$$}": "$",
  "${A:-${NONE}}": "val",
  "${A:?must be set}": "val",
  "${file:/d/s}": "from file",
  "${file:${DIR}/s}": "from file",
  "${file:rel}": "relative",
  $$: "$",
  "$${A}": "${A}",
  "$$$${A}": "$${A}",
  "$$${A}": "$val",
  $A: "$A",
  a$: "a$",
  "100$ or more": "100$ or more",
};

for (const [text, value] of Object.entries(RESOLVED)) {
  test(`expand makes ${JSON.stringify(value)} of ${JSON.stringify(text)}`, () => {
    assert.deepEqual(expanded(text), { value, reports: [] });
  });
}

const FORMS =
  'write ${NAME}, ${NAME:-default}, ${NAME:?message} or ${file:/path}; a "$" itself is written "$$"';
const REPORTED: Record<string, string> = {
  "${NONE}": "unset NONE",
  "${NONE:?}": 'cannot resolve "${NONE}": it must be set and not empty',
  "${EMPTY:?say ${A}}": 'cannot resolve "${EMPTY}": say val',
  "a ${A": 'cannot resolve "${A": the closing "}" is missing; a "$" itself is written "$$"',
  "${NONE:-{}": 'cannot resolve "${NONE:-{}": the closing "}" is missing; a "$" itself is written "$$"',
  ...Object.fromEntries(
    ["${}", "${ A}", "${A }", "${1A}", "${A-b}", "${A:b}", "${A?b}", "${a.b}", "${env:A}"].map((text) => [
      text,
      `cannot resolve "${text}": ${FORMS}`,
    ]),
  ),
};

for (const [text, report] of Object.entries(REPORTED)) {
  test(`expand reports ${JSON.stringify(text)}`, () => {
    assert.deepEqual(expanded(text).reports, [report]);
  });
}

test("expand reports every reference of a text", () => {
  assert.deepEqual(expanded("${NONE} ${} ${OTHER}").reports, [
    "unset NONE",
    `cannot resolve "\${}": ${FORMS}`,
    "unset OTHER",
  ]);
});

test("a variable that is not set is said with its place, and with the .env that has it", () => {
  const yaml = 'services:\n  a:\n    command: [echo, "${NAME}"]\n';
  const at = 'services.a.command[1]: cannot resolve "${NAME}": the variable is not set;';
  const hint = (files: Record<string, string>) => problemsOf({ files });
  assert.deepEqual(hint({ "runtime.yaml": yaml }), [
    `runtime.yaml:3:21 ${at} set it, or write \${NAME:-default}`,
  ]);
  assert.deepEqual(hint({ "runtime.yaml": yaml, ".env": "NAME=x" }), [
    `runtime.yaml:3:21 ${at} ".env" has it but is not read: pass --env-file .env, or write \${NAME:-default}`,
  ]);
  assert.deepEqual(hint({ "sub/runtime.yaml": yaml, "sub/.env": "NAME=x" }), [
    `sub/runtime.yaml:3:21 ${at} "/app/sub/.env" has it but is not read: pass --env-file /app/sub/.env, or write \${NAME:-default}`,
  ]);
});

test("a file is read relative to the file that names it, without its last newline", () => {
  const files = {
    "base.yaml": 'services: { a: { command: [echo, "${file:one}"], environment: { TWO: "${file:two}" } } }',
    "sub/over.yaml": 'services: { a: { command: [echo, "${file:one}", "${file:/abs}"] } }',
    one: "base\n",
    two: "two\r\n",
    "sub/one": "sub\n\n",
    "/abs": "",
  };
  const { run } = serviceOf({ files, named: ["base.yaml", "sub/over.yaml"] });
  assert.ok(run.type === "process");
  assert.deepEqual(run.argv, ["echo", "sub\n", ""]);
  assert.deepEqual(run.environment, { TWO: "two" });
});

test("a file that cannot be read is said with its place", () => {
  const yaml = 'services: { a: { command: ["${file:none}", "${file:}", "${file:binary}"] } }';
  const files = { "runtime.yaml": yaml, binary: new Uint8Array([1, 0]) };
  assert.deepEqual(problemsOf({ files }), [
    'runtime.yaml:1:28 services.a.command[0]: cannot read "none": no such file',
    'runtime.yaml:1:44 services.a.command[1]: cannot read "": no such file',
    'runtime.yaml:1:56 services.a.command[2]: cannot read "binary": it is a binary file (it has NUL bytes)',
  ]);
});

test("a text becomes a number or boolean only where one is wanted", () => {
  const yaml = `
http: { port: "\${PORT}" }
services:
  a: { command: [echo, "\${PORT}"], priority: "\${P}", critical: "\${NO}", environment: { NO: "\${NO}" }, user: "\${P}" }
  b: { entrypoint: ./b.ts, settings: { port: "\${PORT}", no: "\${NO}" } }
`;
  const env = { PORT: "8123", P: "-5", NO: "false" };
  const { http, services } = configOf({ files: { "runtime.yaml": yaml }, env });
  const [a, b] = services;
  assert.ok(http && a?.run.type === "process" && b?.run.type === "module");
  assert.deepEqual(
    { port: http.port, priority: a.priority, critical: a.critical },
    { port: 8123, priority: -5, critical: false },
  );
  assert.deepEqual([a.run.argv, a.run.environment, a.run.user], [["echo", "8123"], { NO: "false" }, "-5"]);
  assert.deepEqual(b.run.settings, { port: "8123", no: "false" });
});

/** What would be structure if it were read as YAML, as a reference, or as a command. */
const hostile = fc.oneof(
  fc.string({ unit: "binary" }),
  fc
    .array(
      fc.constantFrom(
        ..."a|: |\n|  |- |{ |}|[|]|, |#| # |\"|'|`|$|${A}|${file:/etc/passwd}|$$|&a|*a|!!|%|@|__proto__|---|~|null|true|1|;|&&".split(
          "|",
        ),
        "|",
        "\0",
        "\r\n",
      ),
      { maxLength: 12 },
    )
    .map((parts) => parts.join("")),
);

test("a value never changes the structure around it", () => {
  const yaml = `
services:
  a: { command: [echo, "\${VALUE}", "<\${VALUE}>"], environment: { V: "\${VALUE}" } }
  b: { entrypoint: ./b.ts, settings: { list: ["\${VALUE}", last], "\${VALUE}": key } }
`;
  fc.assert(
    fc.property(hostile, (value) => {
      const source = memoryConfig({ files: { "runtime.yaml": yaml }, env: { VALUE: value } });
      const { services } = loadConfig(source);
      const [a, b] = services;
      assert.ok(services.length === 2 && a?.run.type === "process" && b?.run.type === "module");
      assert.deepEqual(a.run.argv, ["echo", value, `<${value}>`]);
      assert.deepEqual(a.run.environment, { V: value });
      assert.deepEqual(b.run.settings, { list: [value, "last"], "${VALUE}": "key" });
    }),
    { numRuns: 300 },
  );
});
