import assert from "node:assert/strict";
import { test } from "node:test";
import { type SagaDefinition, type SagaNode, sagaProblems } from "../../src/config/saga-definition.ts";
import { canonicalText, namedNodes, stepNode } from "../../src/core/saga-definition.ts";
import { saga, step } from "./saga-arbitrary.ts";

const whole = saga(
  [
    step("reserve", { verifiable: true, inDoubt: "verify" }),
    { type: "parallel", branches: [step("mail"), step("ledger")] },
    { type: "signal", name: "approval", signal: "approved", timeoutMs: 5 },
    { type: "sleep", name: "cooling", delayMs: 10 },
    step("charge", { pivot: true, compensable: false }),
  ],
  { timeoutMs: 1000 },
);

test("canonicalText is the same text for the same definition, for ever", () => {
  assert.equal(
    canonicalText(whole),
    '["saga",1,"order.place","1",1000,[["step","reserve",true,true,false,1000,[3,100,1000],"verify"],' +
      '["parallel",[["step","mail",true,false,false,1000,[3,100,1000],"idempotent"],' +
      '["step","ledger",true,false,false,1000,[3,100,1000],"idempotent"]]],' +
      '["signal","approval","approved",5],["sleep","cooling",10],' +
      '["step","charge",false,false,true,1000,[3,100,1000],"idempotent"]]]',
  );
  assert.equal(canonicalText({ ...whole, input: { type: "object" } }), canonicalText(whole));
});

test("canonicalText is another one for every other name, version, kind, order and policy", () => {
  const nodes = (...all: SagaNode[]): SagaDefinition => saga(all);
  const others: SagaDefinition[] = [
    whole,
    { ...whole, name: "order.cancel" },
    { ...whole, version: "2" },
    { ...whole, timeoutMs: 2000 },
    saga(whole.nodes),
    saga(whole.nodes.toReversed()),
    ...[
      step("a"),
      step("b"),
      step("a", { compensable: false }),
      step("a", { verifiable: true }),
      step("a", { pivot: true }),
      step("a", { timeoutMs: 1 }),
      step("a", { retry: { attempts: 4, minMs: 100, maxMs: 1000 } }),
      step("a", { retry: { attempts: 3, minMs: 101, maxMs: 1000 } }),
      step("a", { retry: { attempts: 3, minMs: 100, maxMs: 1001 } }),
      step("a", { inDoubt: "manual" }),
      { type: "parallel" as const, branches: [step("a")] },
      { type: "parallel" as const, branches: [step("a"), step("b")] },
      { type: "signal" as const, name: "a", signal: "a" },
      { type: "signal" as const, name: "a", signal: "b" },
      { type: "signal" as const, name: "a", signal: "a", timeoutMs: 1 },
      { type: "sleep" as const, name: "a", delayMs: 1 },
      { type: "sleep" as const, name: "a", delayMs: 2 },
    ].map((node) => nodes(node)),
    nodes(step("a"), step("b")),
    nodes(step("b"), step("a")),
  ];
  assert.equal(new Set(others.map(canonicalText)).size, others.length);
});

test("namedNodes are in order, parallel ones among them; stepNode finds steps only", () => {
  const names = ["reserve", "mail", "ledger", "approval", "cooling", "charge"];
  assert.deepEqual(
    namedNodes(whole).map(({ name }) => name),
    names,
  );
  assert.equal(stepNode(whole, "ledger").name, "ledger");
  assert.throws(
    () => stepNode(whole, "cooling"),
    /^Error: internal: the saga "order.place" has no step "cooling"/,
  );
});

test("sagaProblems finds nothing wrong with what is in order", () => {
  assert.deepEqual(sagaProblems(whole), []);
});

test("sagaProblems tells every rule that is broken, and where", () => {
  const broken = saga(
    [
      step("a", { inDoubt: "verify" }),
      step("a", { pivot: true }),
      { type: "parallel", branches: [] },
      { type: "parallel", branches: [step("9"), step("p", { pivot: true })] },
      { type: "sleep", name: "__proto__", delayMs: 1 },
      step("z", { pivot: true }),
    ],
    { name: "" },
  );
  const rule = "a name starts with a letter and has up to 128 letters, digits, `.`, `_` and `-`";
  const found = sagaProblems(broken).map(({ path, message }) => `${path.join("/")}: ${message}`);
  assert.deepEqual(found.toSorted(), [
    'name: cannot name a saga "": ' + rule,
    "nodes/0/inDoubt: `verify` needs something to ask: add `verify` to the step",
    'nodes/1/name: cannot name a step "a": another one has this name',
    "nodes/2/branches: there is no step in it: add one",
    'nodes/3/branches/0/name: cannot name a step "9": ' + rule,
    'nodes/3/branches/1/pivot: "p" cannot be the pivot: it is in a parallel group, whose steps may have to be undone together: put it after the group',
    'nodes/4/name: cannot name a step "__proto__": ' + rule,
    'nodes/5/pivot: "z" cannot be the pivot: "a" is the pivot already, and there is one at most',
  ]);
  assert.deepEqual(sagaProblems(saga([])), [{ path: ["nodes"], message: "there is no step: add one" }]);
  const many = Array.from({ length: 1001 }, (_, index) => step(`s${index}`));
  assert.deepEqual(sagaProblems(saga(many)), [
    { path: ["nodes"], message: "expected at most 1000 steps, got 1001" },
  ]);
});
