// Intents in a config: the sagas they mean, and everything that can be wrong with one.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { IntentConfig } from "../../src/config/config.ts";
import { printConfig } from "../../src/config/print.ts";
import { saga } from "../../src/plane/saga-builder.ts";
import { memoryConfig } from "../fakes/config-files.ts";
import { configOf, problemsOf } from "./reading.ts";

const SERVICES = "plane: {}\nservices: { a: { command: [x] } }\n";

/** The steps of an intent `t`, from the sixth line on, each at the seventh column. */
function withSteps(lines: string): string {
  return `${SERVICES}intents:\n  t:\n   saga:\n    steps:\n${lines.replace(/^/gm, "      ")}\n`;
}

function intentOf(yaml: string): IntentConfig {
  const [intent] = configOf(yaml).intents;
  assert.ok(intent);
  return intent;
}

/** As CONTRACT section 7 has it. */
const ORDER = `${SERVICES}intents:
  order.place:
    input: { type: object, required: [sku], properties: { sku: { type: string } } }
    saga:
      timeout: 2h
      steps:
        - name: reserve
          execute:    { url: "http://127.0.0.1:7001/reserve" }
          compensate: { url: "http://127.0.0.1:7001/release" }
          verify:     { url: "svc://stock/lookup", method: GET, headers: { X-Try: 1 } }
          timeout: 5s
          retry: { attempts: 5, backoff: 100ms..5s }
          inDoubt: idempotent
        - parallel:
            - { name: mail,   execute: { url: "http://127.0.0.1:7002/mail" } }
            - { name: ledger, execute: { url: "http://127.0.0.1:7002/ledger" }, compensate: { url: "http://127.0.0.1:7002/undo" } }
        - { name: approval, signal: approved, timeout: 1h }
        - { name: cooling, sleep: 10s }
        - { name: charge, execute: { url: "http://127.0.0.1:7003/charge" }, pivot: true }
`;

test("an intent becomes a definition, as a saga in TypeScript does, and the calls behind its steps", () => {
  const { definition, calls } = intentOf(ORDER);
  const nothing = { execute: () => undefined };
  const typescript = saga("order.place", { timeout: "2h" })
    .step("reserve", { ...nothing, compensate: () => undefined, verify: () => undefined, timeout: "5s" })
    .parallel({ mail: nothing, ledger: { ...nothing, compensate: () => undefined } })
    .signal("approval", { timeout: "1h" })
    .sleep("cooling", "10s")
    .step("charge", { ...nothing, pivot: true }).definition;
  const { input, nodes, ...rest } = definition;
  assert.deepEqual(input, { type: "object", required: ["sku"], properties: { sku: { type: "string" } } });
  assert.deepEqual(
    {
      ...rest,
      nodes: nodes.map((node) => (node.type === "signal" ? { ...node, signal: "approval" } : node)),
    },
    typescript,
  );
  assert.deepEqual(nodes[2], { type: "signal", name: "approval", signal: "approved", timeoutMs: 3_600_000 });
  assert.deepEqual([...calls.keys()], ["reserve", "mail", "ledger", "charge"]);
  assert.deepEqual(calls.get("reserve"), {
    execute: { url: "http://127.0.0.1:7001/reserve", method: "POST", headers: {} },
    compensate: { url: "http://127.0.0.1:7001/release", method: "POST", headers: {} },
    verify: { url: "svc://stock/lookup", method: "GET", headers: { "X-Try": "1" } },
  });
});

test("a version is taken as it is written, and is 1 where it is not", () => {
  const yaml = (version: string) => withSteps("- { name: a, sleep: 1s }").replace("saga:", `saga:${version}`);
  assert.equal(intentOf(yaml("")).definition.version, "1");
  assert.equal(intentOf(yaml("\n    version: 1.0")).definition.version, "1.0");
});

test("headers that sound secret are not shown", () => {
  const call = '{ url: "http://a/", headers: { Authorization: Bearer abc, X-Api-Key: def, X-Plain: ghi } }';
  const files = { "runtime.yaml": withSteps(`- { name: a, execute: ${call} }`) };
  const printed = printConfig(memoryConfig({ files }));
  assert.match(printed, /Authorization: \(redacted\)\n\s+X-Api-Key: \(redacted\)\n\s+X-Plain: ghi\n/);
});

const RULE = "a name starts with a letter and has up to 128 letters, digits, `.`, `_` and `-`";
const CALL = '{ url: "http://a/" }';

/** Steps, and what is said of them. */
const REFUSED: [steps: string, ...problems: string[]][] = [
  [
    `- { name: a, execute: ${CALL}, sleep: 1s }`,
    "7:9 intents.t.saga.steps[0]: a step has one of execute, parallel, signal, sleep; got execute and sleep",
  ],
  [
    "- { name: a }",
    "7:9 intents.t.saga.steps[0]: a step has one of execute, parallel, signal, sleep; got none of them",
  ],
  [
    `- { name: a, signal: go, compensate: ${CALL}, pivot: true }`,
    "7:32 intents.t.saga.steps[0].compensate: `compensate` is for a step with `execute`: leave it out",
    "7:66 intents.t.saga.steps[0].pivot: `pivot` is for a step with `execute`: leave it out",
  ],
  [
    "- { name: a, sleep: 1s, timeout: 5s }",
    "7:31 intents.t.saga.steps[0].timeout: `timeout` is for a step with `execute` or `signal`: leave it out",
  ],
  [
    `- { name: a, parallel: [{ name: b, execute: ${CALL} }, { name: c }] }`,
    "7:11 intents.t.saga.steps[0].name: a parallel group has no name, its steps have: leave it out",
    "7:75 intents.t.saga.steps[0].parallel[1]: a step of a parallel group needs `execute`",
  ],
  [
    `- { execute: ${CALL} }\n- { name: 9a, sleep: 1s }\n- { name: b, sleep: 1s }\n- { name: b, sleep: 1s }`,
    `7:9 intents.t.saga.steps[0].name: cannot name a step "": ${RULE}`,
    `8:17 intents.t.saga.steps[1].name: cannot name a step "9a": ${RULE}`,
    '10:17 intents.t.saga.steps[3].name: cannot name a step "b": another one has this name',
  ],
  [
    `- { name: a, execute: ${CALL}, inDoubt: verify }\n- { name: p, execute: ${CALL}, pivot: true }\n- { name: q, execute: ${CALL}, pivot: true }`,
    "7:60 intents.t.saga.steps[0].inDoubt: `verify` needs something to ask: add `verify` to the step",
    '9:58 intents.t.saga.steps[2].pivot: "q" cannot be the pivot: "p" is the pivot already, and there is one at most',
  ],
  [
    `- parallel: [{ name: p, execute: ${CALL}, pivot: true }]\n- parallel: []`,
    '7:69 intents.t.saga.steps[0].parallel[0].pivot: "p" cannot be the pivot: it is in a parallel group, whose steps may have to be undone together: put it after the group',
    "8:9 intents.t.saga.steps[1].parallel: there is no step in it: add one",
  ],
  [
    '- { name: a, execute: { url: "ftp://a/" } }\n- { name: b, execute: { url: "svc://" } }',
    '7:36 intents.t.saga.steps[0].execute.url: expected a URL such as "http://127.0.0.1:7001/reserve" or "svc://stock/reserve", got "ftp://a/"',
    '8:36 intents.t.saga.steps[1].execute.url: expected a URL such as "http://127.0.0.1:7001/reserve" or "svc://stock/reserve", got "svc://"',
  ],
  [
    '- { name: a, execute: { url: "http://a/", headers: { "A B": x, Haraka-Step: x, X: "a\\nb" } } }',
    '7:60 intents.t.saga.steps[0].execute.headers.A B: "A B" cannot be the name of a header',
    "7:70 intents.t.saga.steps[0].execute.headers.Haraka-Step: the runtime sets `Haraka-Step` by itself: leave it out",
    "7:89 intents.t.saga.steps[0].execute.headers.X: a header is one line",
  ],
  [
    "- { name: a, sleep: soon, retrys: 5 }",
    '7:27 intents.t.saga.steps[0].sleep: expected a duration such as 250ms, 5s, 2m or 1h, got "soon"',
    '7:33 intents.t.saga.steps[0].retrys: unknown key "retrys"; did you mean "retry"?',
  ],
];

for (const [steps, ...problems] of REFUSED) {
  test(`loadConfig refuses ${JSON.stringify(steps)}`, () => {
    assert.deepEqual(
      problemsOf(withSteps(steps)),
      problems.map((problem) => `runtime.yaml:${problem}`),
    );
  });
}

test("loadConfig refuses an intent without steps, with a name that cannot be, and input that is no schema", () => {
  const yaml = `${SERVICES}intents:\n  t: { input: 5, saga: { steps: [] } }\n  "a b": { saga: { steps: [{ name: a, sleep: 1s }] } }\n`;
  assert.deepEqual(problemsOf(yaml), [
    "runtime.yaml:4:15 intents.t.input: expected a JSON Schema: a map, or true or false",
    "runtime.yaml:4:26 intents.t.saga.steps: there is no step: add one",
    `runtime.yaml:5:3 intents.a b: cannot name a saga "a b": ${RULE}`,
  ]);
});

test("what is wrong with one intent does not hide what is wrong with others, or with services", () => {
  const yaml = `plane: {}
intents: { one: { saga: 5 }, two: { saga: { steps: [] } } }
services: { a: { command: [x], dependencies: [nobody] } }
`;
  assert.deepEqual(problemsOf(yaml), [
    "runtime.yaml:2:25 intents.one.saga: expected a map, got 5",
    "runtime.yaml:2:45 intents.two.saga.steps: there is no step: add one",
    "runtime.yaml:3:47 services.a.dependencies[0]: Unknown dependency 'nobody' for service 'a'",
  ]);
});

test("intents need a plane", () => {
  const yaml = ORDER.replace("plane: {}\n", "");
  assert.deepEqual(problemsOf(yaml), [
    "runtime.yaml:2:1 intents: there is no plane to carry them out: add `plane: {}`",
  ]);
  assert.equal(configOf(`${yaml}store: { driver: memory }\n`).intents.length, 1);
});
