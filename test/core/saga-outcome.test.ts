import assert from "node:assert/strict";
import { test } from "node:test";
import { fold, outputsOf } from "../../src/core/saga.ts";
import type { SagaEvent } from "../../src/core/saga-event.ts";
import { outcome } from "../../src/core/saga-outcome.ts";
import { saga, step } from "./saga-arbitrary.ts";
import { FAILED, NOT_DONE, SagaScript, UNKNOWN } from "./saga-script.ts";

const abc = saga([step("a"), step("b"), step("c")]);
const withPivot = saga([step("a"), step("p", { pivot: true }), step("z")]);
const group = saga([step("a"), { type: "parallel", branches: [step("b1"), step("b2")] }, step("c")]);

/** Out of three attempts. */
function exhaust(script: SagaScript, name: string, result = UNKNOWN): string[] {
  script.answer(name, result);
  script.wait();
  script.answer(name, result);
  script.wait();
  return script.answer(name, result);
}

test("decide starts the next step together with the end of the one before, and calls it afterwards", () => {
  const script = new SagaScript(abc);
  assert.deepEqual(script.away, ["a/execute/1"]);
  assert.deepEqual(script.done("a", { id: 1 }), ["step_completed a 1", "step_started b 1"]);
  assert.deepEqual(script.last.calls, [{ step: "b", direction: "execute", attempt: 1, timeoutMs: 1000 }]);
  assert.deepEqual(script.done("b"), ["step_completed b 1", "step_started c 1"]);
  assert.deepEqual(script.done("c", 3), ["step_completed c 1", "saga_completed"]);
  assert.equal(script.last.done, "completed");
  assert.deepEqual(outputsOf(script.state), { a: { id: 1 }, c: 3 });
  assert.deepEqual(script.view.result, { a: { id: 1 }, c: 3 });
});

test("decide retries what is not done after its backoff, and never before", () => {
  const script = new SagaScript(abc);
  assert.deepEqual(script.answer("a", NOT_DONE), ["step_failed a 1 retry"]);
  assert.equal(script.last.wakeAtMs, 100);
  script.nowMs = 99;
  assert.deepEqual(script.turn(), []);
  assert.deepEqual(script.wait(), ["step_started a 2"]);
  assert.deepEqual(script.answer("a", UNKNOWN), ["step_in_doubt a 2 retry"]);
  assert.equal(script.shown, "running: a in_doubt, b pending, c pending");
  script.wait();
  assert.deepEqual(script.done("a"), ["step_completed a 3", "step_started b 1"]);
});

test("the wait before a retry lies between the two bounds and grows", () => {
  const { state, definition } = new SagaScript(
    saga([step("a", { retry: { attempts: 9, minMs: 100, maxMs: 700 } })]),
  );
  const waits = [];
  for (let current = state, attempt = 1; attempt < 6; attempt++) {
    const call = { step: "a", direction: "execute", attempt } as const;
    const [event] = outcome(current, definition, { call, result: NOT_DONE, nowMs: 0, random: 0.5 });
    assert.ok(event?.type === "step_failed");
    waits.push(event.payload.retryAtMs);
    const again: SagaEvent = { type: "step_started", step: "a", payload: { attempt: attempt + 1 } };
    current = [event, again].reduce(fold, current);
  }
  assert.deepEqual(waits, [150, 250, 400, 400, 400]);
});

test("a step that fails for certain is not undone, those before it are, the last first", () => {
  const script = new SagaScript(abc);
  script.done("a", 1);
  script.done("b");
  assert.deepEqual(script.answer("c", FAILED), ["step_failed c 1 compensate", "compensation_started b 1"]);
  assert.equal(script.shown, "compensating: a completed, b compensating, c failed");
  assert.deepEqual(script.undone("b"), ["compensation_completed b 1", "compensation_started a 1"]);
  assert.deepEqual(script.undone("a"), ["compensation_completed a 1", "saga_compensated"]);
  assert.equal(script.shown, "compensated: a compensated, b compensated, c failed");
  assert.deepEqual(script.view.error, { message: '"c": no', reason: "failed" });
});

test("a step in doubt whose attempts are used up is undone, without an output", () => {
  const script = new SagaScript(abc);
  script.done("a", 1);
  assert.deepEqual(exhaust(script, "b"), ["step_in_doubt b 3 compensate", "compensation_started b 1"]);
  assert.equal(script.state.steps.get("b")?.output, undefined);
  script.undone("b");
  script.undone("a");
  assert.equal(script.last.done, "compensated");
});

test("a last attempt without effect does not take away the doubt of an earlier one; a certain answer does", () => {
  for (const [result, expected] of [
    [NOT_DONE, ["step_in_doubt a 3 compensate", "compensation_started a 1"]],
    [FAILED, ["step_failed a 3 compensate", "saga_compensated"]],
  ] as const) {
    const script = new SagaScript(abc);
    script.answer("a", UNKNOWN);
    script.wait();
    script.answer("a", NOT_DONE);
    script.wait();
    assert.deepEqual(script.answer("a", result), expected);
  }
});

test("a step that was never done when its attempts are used up is not undone", () => {
  const script = new SagaScript(abc);
  assert.deepEqual(exhaust(script, "a", NOT_DONE), ["step_failed a 3 compensate", "saga_compensated"]);
});

const asked = saga([step("a"), step("b", { verifiable: true, inDoubt: "verify" })]);

test("verify: yes goes on with the output", () => {
  const script = new SagaScript(asked);
  script.done("a");
  assert.deepEqual(script.answer("b", UNKNOWN), ["step_in_doubt b 1 verify"]);
  assert.deepEqual(script.away, ["b/verify/1"]);
  script.answer("b", { type: "done", output: "found" }, "verify");
  assert.equal(script.last.done, "completed");
  assert.deepEqual(outputsOf(script.state), { b: "found" });
});

test("verify: no tries again, and is a certain failure once attempts are used up", () => {
  const script = new SagaScript(asked);
  script.done("a");
  for (const attempt of [1, 2]) {
    script.answer("b", UNKNOWN);
    assert.deepEqual(script.answer("b", { type: "absent" }, "verify"), [`step_failed b ${attempt} retry`]);
    script.wait();
  }
  script.answer("b", UNKNOWN);
  assert.deepEqual(script.answer("b", { type: "absent" }, "verify"), [
    "step_failed b 3 compensate",
    "compensation_started a 1",
  ]);
});

test("verify: no answer asks again after a wait, and then parks; retry asks anew", () => {
  const script = new SagaScript(asked);
  script.done("a");
  script.answer("b", UNKNOWN);
  script.answer("b", UNKNOWN, "verify");
  script.wait();
  script.answer("b", FAILED, "verify");
  script.wait();
  assert.deepEqual(script.answer("b", UNKNOWN, "verify"), ["step_in_doubt b 1 park", "saga_parked"]);
  assert.equal(script.shown, "parked: a completed, b in_doubt");
  assert.deepEqual(script.view.error, { message: '"b" is in doubt: cut', reason: "parked" });
  assert.deepEqual(script.resolve({ action: "retry" }), ["saga_resolved"]);
  assert.deepEqual(script.away, ["b/verify/1"]);
});

test("verify: a cancelled saga asks before it undoes, and undoes with the output", () => {
  const script = new SagaScript(asked);
  script.done("a");
  assert.deepEqual(script.cancel(), ["cancel_requested"]);
  assert.deepEqual(script.answer("b", UNKNOWN), ["step_in_doubt b 1 verify"]);
  const said = script.answer("b", { type: "done", output: "found" }, "verify");
  assert.deepEqual(said, ["step_completed b 1", "compensation_started b 1"]);
  assert.equal(script.state.steps.get("b")?.output, "found");
});

const byHand = saga([step("a"), step("b", { inDoubt: "manual" }), step("c")]);

test("manual: in doubt it parks at once, and goes on as the operator says", () => {
  for (const [resolution, expected] of [
    [{ action: "done", output: 7 }, "running: a completed, b completed, c running"],
    [{ action: "skip" }, "running: a completed, b skipped, c running"],
    [{ action: "retry" }, "running: a completed, b in_doubt, c pending"],
    [{ action: "abort" }, "compensating: a completed, b compensating, c pending"],
  ] as const) {
    const script = new SagaScript(byHand);
    script.done("a");
    assert.deepEqual(script.answer("b", UNKNOWN), ["step_in_doubt b 1 park", "saga_parked"]);
    assert.equal(script.last.done, "parked");
    script.resolve(resolution);
    assert.equal(script.shown, expected);
  }
});

test("manual: cancelled while parked it still needs to be resolved, and is not called again", () => {
  const script = new SagaScript(byHand);
  script.done("a");
  script.answer("b", UNKNOWN);
  assert.deepEqual(script.cancel(), ["cancel_requested"]);
  assert.equal(script.last.done, "parked");
  assert.deepEqual(script.resolve({ action: "retry" }), [
    'the saga is being undone, and no step starts any more: say of "b" done or skip',
  ]);
  assert.deepEqual(script.resolve({ action: "abort" }), ["it is being undone already: retry, done or skip"]);
  script.resolve({ action: "done" });
  script.undone("b");
  script.undone("a");
  assert.equal(script.shown, "cancelled: a compensated, b compensated, c pending");
});

test("the pivot: in doubt after its resends it parks, its certain failure undoes what came before", () => {
  const doubtful = new SagaScript(withPivot);
  doubtful.done("a");
  assert.deepEqual(exhaust(doubtful, "p"), ["step_in_doubt p 3 park", "saga_parked"]);
  doubtful.resolve({ action: "retry", step: "p" });
  assert.deepEqual(doubtful.answer("p", FAILED), ["step_failed p 4 compensate", "compensation_started a 1"]);
  const refused = new SagaScript(withPivot);
  refused.done("a");
  assert.deepEqual(exhaust(refused, "p", NOT_DONE), [
    "step_failed p 3 compensate",
    "compensation_started a 1",
  ]);
});

test("past the pivot a step that is used up, or fails, parks; abort ends it as failed", () => {
  for (const result of [UNKNOWN, NOT_DONE]) {
    const script = new SagaScript(withPivot);
    script.done("a");
    script.done("p");
    exhaust(script, "z", result);
    assert.equal(script.last.done, "parked");
  }
  const script = new SagaScript(withPivot);
  script.done("a");
  script.done("p");
  assert.deepEqual(script.answer("z", FAILED), ["step_failed z 1 park", "saga_parked"]);
  assert.equal(script.shown, "parked: a completed, p completed, z failed");
  assert.deepEqual(script.cancel(), ['it is past its pivot "p"']);
  script.resolve({ action: "abort" });
  assert.equal(script.last.done, "failed");
  assert.deepEqual(script.view.error, { message: "an operator has aborted it", reason: "aborted" });
});

test("cancel is refused once the pivot's start is logged", () => {
  const script = new SagaScript(withPivot);
  script.done("a");
  assert.deepEqual(script.away, ["p/execute/1"]);
  assert.deepEqual(script.cancel(), ['it is past its pivot "p"']);
});

test("parallel: a failing branch aborts the others, but not one that only an operator can judge", () => {
  const branches = [step("x"), step("y"), step("m", { inDoubt: "manual" })];
  const script = new SagaScript(saga([step("a"), { type: "parallel", branches }]));
  script.done("a");
  assert.deepEqual(script.away, ["x/execute/1", "y/execute/1", "m/execute/1"]);
  assert.deepEqual(script.answer("x", FAILED), ["step_failed x 1 compensate"]);
  assert.deepEqual(script.last.abort, ["y/execute/1"]);
  assert.deepEqual(script.answer("y", UNKNOWN), ["step_in_doubt y 1 compensate"]);
  assert.deepEqual(script.done("m"), [
    "step_completed m 1",
    "compensation_started y 1",
    "compensation_started m 1",
  ]);
  script.undone("m");
  assert.deepEqual(script.undone("y"), ["compensation_completed y 1", "compensation_started a 1"]);
});

test("parallel: the group is past once all have settled, and a retry of one does not hold up the other", () => {
  const script = new SagaScript(group);
  script.done("a");
  script.answer("b1", NOT_DONE);
  assert.deepEqual(script.done("b2"), ["step_completed b2 1"]);
  script.wait();
  assert.deepEqual(script.done("b1"), ["step_completed b1 2", "step_started c 1"]);
});

test("manual: a compensation in doubt parks at once, too", () => {
  const script = new SagaScript(byHand);
  script.done("a");
  script.done("b");
  script.answer("c", FAILED);
  assert.deepEqual(script.answer("b", NOT_DONE, "compensate"), ["compensation_failed b 1 retry"]);
  script.wait();
  assert.deepEqual(script.answer("b", UNKNOWN, "compensate"), [
    "compensation_failed b 2 park",
    "saga_parked",
  ]);
  assert.deepEqual(script.resolve({ action: "done" }), ["saga_resolved", "compensation_started a 1"]);
});

test("a compensation is tried until it is used up, also where it fails for certain, and then parks", () => {
  const script = new SagaScript(abc);
  script.done("a");
  script.answer("b", FAILED);
  assert.deepEqual(script.answer("a", FAILED, "compensate"), ["compensation_failed a 1 retry"]);
  script.wait();
  script.answer("a", NOT_DONE, "compensate");
  script.wait();
  assert.deepEqual(script.answer("a", UNKNOWN, "compensate"), [
    "compensation_failed a 3 park",
    "saga_parked",
  ]);
  assert.equal(script.shown, "parked: a parked, b failed, c pending");
  assert.deepEqual(script.resolve({ action: "retry" }), ["saga_resolved", "compensation_started a 4"]);
  script.undone("a");
  assert.equal(script.last.done, "compensated");
});
