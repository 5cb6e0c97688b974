// The order that is placed while runtimes are killed: its saga as YAML, its steps at a sink, and what may have come of it once it has
// ended. It runs nothing.
import assert from "node:assert/strict";
import type { Call } from "./saga-sink.ts";

/** As it stands below `intents:`; `more` stands between its parallel steps and its pivot. */
export function orderIntent(sink: string, more: readonly string[] = []): string {
  const to = (path: string) => `{ url: "${sink}/${path}" }`;
  const retry = "retry: { attempts: 50, backoff: 1ms..20ms }";
  const step = (name: string, undo = true) =>
    `{ name: ${name}, execute: ${to(name)}, ${undo ? `compensate: ${to(name)}, ` : ""}${retry} }`;
  const steps = [
    step("reserve"),
    `parallel: [${step("mail", false)}, ${step("ledger")}]`,
    ...more,
    `{ name: charge, execute: ${to("charge")}, pivot: true, ${retry} }`,
    step("ship", false),
  ];
  return `
  order.place:
    input: { type: object, required: [n], properties: { n: { type: integer } } }
    saga:
      timeout: 10m
      steps:
${steps.map((each) => `        - ${each}`).join("\n")}
`;
}

/** T1..Tn; or what has happened is undone, the mail excepted; or parked, with a reason. */
export function checkOrder(
  { id, state, error }: { id: string; state: string; error?: object },
  effects: readonly Call[],
): void {
  const steps = (direction: string) =>
    effects.filter((call) => call.direction === direction).map(({ step }) => step);
  const [done, undone] = [steps("execute"), steps("compensate")];
  const story = `${id} is ${state}: did ${done.join(", ")}; undid ${undone.join(", ")}`;
  assert.equal(new Set(effects.map(({ step, direction }) => step + direction)).size, effects.length, story);
  if (state === "parked") return assert.ok(error, story);
  if (state === "completed") {
    assert.deepEqual(done.toSorted(), ["charge", "ledger", "mail", "reserve", "ship"], story);
    return assert.deepEqual(undone, [], story);
  }
  assert.equal(state, "compensated", story);
  assert.ok(!done.includes("charge") && !done.includes("ship"), story);
  for (const step of ["reserve", "ledger"])
    if (done.includes(step)) assert.ok(undone.includes(step), `${story}; ${step} is left`);
}

interface LoggedStep {
  type: string;
  execution?: string;
  step?: string;
}

/** Of each call the log has that it started, and it went out under one key (G2). */
export function checkCalls(calls: readonly Call[], log: readonly LoggedStep[]): void {
  const started = new Set<string>();
  for (const { type, execution, step } of log) {
    if (type === "step_started") started.add(`${execution}/${step}/execute`);
    if (type === "compensation_started") started.add(`${execution}/${step}/compensate`);
  }
  const keys = new Map<string, string>();
  for (const { execution, step, direction, key } of calls) {
    const call = `${execution}/${step}/${direction}`;
    assert.ok(started.has(call), `${call} went out, and the log has not that it started`);
    assert.equal(keys.get(call) ?? key, key, `${call} went out under two keys`);
    keys.set(call, key);
  }
}
