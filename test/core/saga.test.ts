import assert from "node:assert/strict";
import { test } from "node:test";
import { fold, INITIAL, outputsOf } from "../../src/core/saga.ts";
import { cancel, park } from "../../src/core/saga-command.ts";
import { idempotencyKey } from "../../src/core/saga-definition.ts";
import { type SagaEvent, sagaEvent } from "../../src/core/saga-event.ts";
import { outcome } from "../../src/core/saga-outcome.ts";
import { isOpen, type StepPhase } from "../../src/core/saga-step.ts";
import { viewOf } from "../../src/core/saga-view.ts";
import type { NewRecord, WalType } from "../../src/ports/store.ts";
import { saga, step } from "./saga-arbitrary.ts";
import { drawn } from "./saga-diagram.ts";
import { FAILED, NOT_DONE, SagaScript, UNKNOWN } from "./saga-script.ts";

const abc = saga([step("a"), step("b"), step("c")]);
const withPivot = saga([step("a"), step("p", { pivot: true }), step("z")]);
const asked = saga([step("a"), step("b", { verifiable: true, inDoubt: "verify" })]);
const byHand = saga([step("a"), step("b", { inDoubt: "manual" }), step("c")]);

test("isOpen allows exactly the ways in the diagram", () => {
  const phases = [...drawn.keys()] as StepPhase[];
  assert.equal(phases.length, 13);
  for (const from of phases) {
    for (const to of phases) assert.equal(isOpen(from, to), drawn.get(from)?.includes(to), `${from} → ${to}`);
  }
});

const waiting = saga([
  step("a"),
  { type: "signal", name: "approval", signal: "approved", timeoutMs: 1000 },
  { type: "sleep", name: "cooling", delayMs: 500 },
]);

test("a sleep and a signal: payloads are outputs, and a signal may come early", () => {
  const script = new SagaScript(waiting);
  assert.deepEqual(script.signal("approved", { by: "ann" }), ["signal_received"]);
  assert.deepEqual(script.signal("approved"), ['the signal "approved" has been received']);
  assert.deepEqual(script.signal("other"), ['none of its steps waits for a signal "other"']);
  assert.deepEqual(script.done("a"), [
    "step_completed a 1",
    "step_started approval 1",
    "timer_set approval",
    "step_completed approval 1",
    "step_started cooling 1",
    "timer_set cooling",
  ]);
  assert.equal(script.last.wakeAtMs, 500);
  assert.deepEqual(script.wait(), ["timer_fired cooling", "step_completed cooling 1", "saga_completed"]);
  assert.deepEqual(outputsOf(script.state), { approval: { by: "ann" } });
});

test("steps that wait for the same signal take one each, in order", () => {
  const nodes = ["one", "two"].map((name) => ({ type: "signal" as const, name, signal: "go" }));
  const script = new SagaScript(saga([step("a"), ...nodes]));
  script.signal("go", 1);
  script.signal("go", 2);
  assert.deepEqual(script.signal("go", 3), ['the signal "go" has been received']);
  script.done("a");
  assert.deepEqual(outputsOf(script.state), { one: 1, two: 2 });
});

test("a signal that does not come in time undoes the saga; past the pivot it parks and can be waited for again", () => {
  const script = new SagaScript(waiting);
  script.done("a");
  assert.deepEqual(script.wait(), [
    "timer_fired approval",
    "step_failed approval 1 compensate",
    "compensation_started a 1",
  ]);
  assert.deepEqual(script.view.error, {
    message: '"approval": the signal "approved" has not come in time',
    reason: "timeout",
  });
  const nodes = [step("p", { pivot: true }), ...waiting.nodes.slice(1, 2)];
  const late = new SagaScript(saga(nodes));
  late.done("p");
  late.wait();
  assert.equal(late.last.done, "parked");
  assert.deepEqual(late.resolve({ action: "retry" }), [
    "saga_resolved",
    "step_started approval 2",
    "timer_set approval",
  ]);
  assert.deepEqual(late.signal("approved"), [
    "signal_received",
    "step_completed approval 2",
    "saga_completed",
  ]);
});

test("cancel ends sleeps and waits at once, and lets a call under way come to its end", () => {
  const script = new SagaScript(waiting);
  script.done("a");
  assert.deepEqual(script.cancel(), ["cancel_requested", "compensation_started a 1"]);
  assert.deepEqual(script.cancel(), []);
  assert.deepEqual(script.signal("approved"), ["it is being undone and waits for no signal any more"]);
  assert.equal(script.shown, "compensating: a compensating, approval cancelled, cooling pending");
  script.undone("a");
  assert.equal(script.last.done, "cancelled");
  assert.deepEqual(script.cancel(), ["it is cancelled"]);
  const busy = new SagaScript(abc);
  assert.deepEqual(busy.cancel(), ["cancel_requested"]);
  assert.deepEqual(busy.last.abort, []);
  assert.deepEqual(busy.done("a"), ["step_completed a 1", "compensation_started a 1"]);
});

test("a cancelled step is not retried: without effect it is left, in doubt it is undone", () => {
  const plain = new SagaScript(abc);
  plain.cancel();
  assert.deepEqual(plain.answer("a", NOT_DONE), ["step_failed a 1 compensate", "saga_compensated"]);
  const doubtful = new SagaScript(abc);
  doubtful.answer("a", UNKNOWN);
  assert.deepEqual(doubtful.cancel(), ["cancel_requested", "compensation_started a 1"]);
});

test("the saga's timeout undoes it and aborts what is under way; it ends at the pivot", () => {
  const script = new SagaScript({ ...abc, timeoutMs: 5000 });
  script.done("a");
  assert.equal(script.last.wakeAtMs, 5000);
  script.nowMs = 4999;
  assert.deepEqual(script.turn(), []);
  assert.deepEqual(script.wait(), ["timer_fired"]);
  assert.deepEqual(script.last.abort, ["b/execute/1"]);
  assert.deepEqual(script.answer("b", UNKNOWN), ["step_in_doubt b 1 compensate", "compensation_started b 1"]);
  assert.equal(script.view.error?.reason, "timeout");
  const pivoted = new SagaScript({ ...withPivot, timeoutMs: 5000 });
  pivoted.done("a");
  pivoted.nowMs = 6000;
  assert.deepEqual(pivoted.turn(), []);
  assert.equal(pivoted.last.wakeAtMs, undefined);
});

test("after a crash a call that was under way is in doubt, by its policy, with the attempts it had", () => {
  const script = new SagaScript(abc);
  assert.deepEqual(script.crash(), ["step_in_doubt a 1 retry", "step_started a 2"]);
  assert.deepEqual(script.crash(), ["step_in_doubt a 2 retry", "step_started a 3"]);
  assert.deepEqual(script.crash(), ["step_in_doubt a 3 compensate", "compensation_started a 1"]);
  assert.deepEqual(script.crash(), ["compensation_failed a 1 retry", "compensation_started a 2"]);
  const manual = new SagaScript(byHand);
  manual.done("a");
  assert.deepEqual(manual.crash(), ["step_in_doubt b 1 park", "saga_parked"]);
  const verified = new SagaScript(asked);
  verified.done("a");
  assert.deepEqual(verified.crash(), ["step_in_doubt b 1 verify"]);
  assert.deepEqual(verified.away, ["b/verify/1"]);
  assert.deepEqual(verified.crash(), []);
  assert.deepEqual(verified.away, ["b/verify/1"]);
});

test("the answer to a call that is not waited for any more changes nothing", () => {
  const script = new SagaScript(abc);
  script.crash();
  const late = { call: { step: "a", direction: "execute", attempt: 1 }, result: FAILED } as const;
  assert.deepEqual(outcome(script.state, abc, { ...late, nowMs: 0, random: 0 }), []);
});

test("a saga whose definition nobody knows parks, can be cancelled, and goes on by retry", () => {
  const script = new SagaScript(abc);
  const why = { reason: 'nobody knows "order.place" 1', cause: "definition" } as const;
  script.append(park(script.state, why));
  assert.deepEqual(park(script.state, { ...why, reason: "again" }), []);
  assert.equal(script.crash().length, 0);
  assert.deepEqual(viewOf(script.state, undefined).steps, [{ name: "a", state: "running", attempts: 1 }]);
  assert.deepEqual(script.resolve({ action: "skip", step: "a" }), [
    'nobody knows "order.place" 1; register it, or retry',
  ]);
  assert.deepEqual(script.resolve({ action: "retry" }), [
    "saga_resolved",
    "step_in_doubt a 1 retry",
    "step_started a 2",
  ]);
});

test("a saga that failed in itself parks, and only retry leads on", () => {
  const script = new SagaScript(abc);
  script.append(park(script.state, { reason: "it broke", cause: "internal" }));
  script.crash();
  assert.deepEqual(script.resolve({ action: "abort" }), ["it broke; retry it first"]);
  assert.deepEqual(script.resolve({ action: "retry" }), [
    "saga_resolved",
    "step_in_doubt a 1 retry",
    "step_started a 2",
  ]);
});

test("a cancel before the start undoes nothing", () => {
  const events: SagaEvent[] = [
    { type: "cancel_requested", payload: {} },
    { type: "saga_started", payload: { definition: "order.place", version: "1", hash: "h" } },
  ];
  assert.equal(events.reduce(fold, INITIAL).status, "compensating");
});

test("resolve says what it refuses", () => {
  const running = new SagaScript(abc);
  assert.deepEqual(running.resolve({ action: "retry" }), ["it is running, not parked"]);
  const branches = ["x", "y"].map((name) => step(name, { inDoubt: "manual" }));
  const script = new SagaScript(saga([{ type: "parallel", branches }]));
  script.answer("x", UNKNOWN);
  assert.equal(script.last.done, undefined);
  script.answer("y", UNKNOWN);
  assert.deepEqual(script.resolve({ action: "done" }), ['several steps need it, say which: "x", "y"']);
  assert.deepEqual(script.resolve({ action: "done", step: "z" }), ['"z" does not need it; "x", "y" does']);
  assert.deepEqual(script.resolve({ action: "done", step: "x" }), ["saga_resolved", "saga_parked"]);
  assert.deepEqual(script.resolve({ action: "skip" }), ["saga_resolved", "saga_completed"]);
});

test("fold refuses what cannot follow", () => {
  const running = new SagaScript(abc).state;
  const waits = new SagaScript(saga([{ type: "sleep", name: "a", delayMs: 9 }])).state;
  const ended = [
    { type: "step_completed", step: "a", payload: { attempt: 1 } } as const,
    { type: "saga_completed", payload: {} } as const,
  ].reduce<typeof running>(fold, running);
  const error = { message: "no" };
  const pivot = new SagaScript(saga([step("p", { pivot: true })])).state;
  const branches = [step("b1"), step("b2")];
  const halfway = new SagaScript(saga([step("a"), { type: "parallel", branches }]));
  halfway.done("a");
  halfway.answer("b1", FAILED);
  const started = { type: "saga_started", payload: { definition: "a", version: "1", hash: "h" } } as const;
  const refused: [state: typeof running, event: SagaEvent][] = [
    [INITIAL, { type: "step_started", step: "a", payload: { attempt: 1 } }],
    [running, started],
    [running, { type: "step_started", step: "a", payload: { attempt: 2 } }],
    [running, { type: "step_started", step: "b", payload: { attempt: 2 } }],
    [running, { type: "step_completed", step: "a", payload: { attempt: 2 } }],
    [running, { type: "step_completed", step: "b", payload: { attempt: 1 } }],
    [running, { type: "step_failed", step: "a", payload: { attempt: 1, error, next: "park" } }],
    [running, { type: "compensation_started", step: "a", payload: { attempt: 1 } }],
    [running, { type: "timer_fired", payload: { dueAtMs: 0 } }],
    [running, { type: "timer_set", step: "a", payload: { dueAtMs: 0 } }],
    [running, { type: "saga_completed", payload: {} }],
    [running, { type: "saga_compensated", payload: { state: "compensated" } }],
    [running, { type: "saga_parked", payload: { reason: "no", cause: "steps" } }],
    [running, { type: "saga_resolved", payload: { action: "retry", steps: [] } }],
    [waits, { type: "timer_set", step: "a", payload: { dueAtMs: 9 } }],
    [waits, { type: "timer_fired", step: "a", payload: { dueAtMs: 8 } }],
    [pivot, { type: "cancel_requested", payload: {} }],
    [halfway.state, { type: "compensation_started", step: "a", payload: { attempt: 1 } }],
    [halfway.state, { type: "saga_compensated", payload: { state: "compensated" } }],
    [ended, { type: "signal_received", payload: { name: "x" } }],
    [ended, { type: "cancel_requested", payload: {} }],
  ];
  for (const [state, event] of refused) {
    assert.throws(() => fold(state, event), /^Error: internal: a saga that is \w+ cannot take/, event.type);
  }
});

test("events are records of the log, one to one", () => {
  const event: SagaEvent = { type: "timer_set", payload: { dueAtMs: 5 } };
  const record = { id: "event_1", ...event } satisfies NewRecord & { type: WalType };
  assert.deepEqual(sagaEvent(record), event);
  const ofStep: SagaEvent = { type: "step_completed", step: "a", payload: { attempt: 1, output: [1] } };
  assert.deepEqual(sagaEvent({ id: "event_2", ...ofStep } as NewRecord), ofStep);
  assert.equal(sagaEvent({ type: "session_created", payload: {} }), undefined);
});

test("a key is one for each step and direction; who verifies asks with the key of the execution", () => {
  const key = (direction: "execute" | "compensate" | "verify") =>
    idempotencyKey("execution_1", { step: "a.b", direction });
  assert.equal(key("execute"), "execution_1/a.b/execute");
  assert.equal(key("compensate"), "execution_1/a.b/compensate");
  assert.equal(key("verify"), key("execute"));
});

test("what is named like a property of every object is a step like others", () => {
  const script = new SagaScript(saga([step("constructor"), step("toString")]));
  script.done("constructor", 1);
  script.done("toString");
  assert.deepEqual(outputsOf(script.state), { constructor: 1 });
  assert.deepEqual(cancel(script.state), { refused: "it is completed" });
});
