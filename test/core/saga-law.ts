// What must hold of a saga, read off its log and off what its calls did: the invariants G1 to G4 and G7. It knows the definition and
// nothing of the machine.
import assert from "node:assert/strict";
import type { SagaDefinition } from "../../src/config/saga-definition.ts";
import { namedNodes, type Direction } from "../../src/core/saga-definition.ts";
import type { Failure, SagaEvent } from "../../src/core/saga-event.ts";
import type { Result } from "../../src/core/saga-outcome.ts";

interface KeyedCall {
  step: string;
  direction: Direction;
  key: string;
}

/** The services behind the steps. They take effect once for each key, and answer the same key alike. */
class Sink {
  readonly effects: { step: string; direction: Direction }[] = [];
  readonly #keys = new Set<string>();

  has(step: string, direction: Direction): boolean {
    return this.at(step, direction) !== -1;
  }

  at(step: string, direction: Direction): number {
    return this.effects.findIndex((effect) => effect.step === step && effect.direction === direction);
  }

  work({ step, direction, key }: KeyedCall): Result {
    if (direction === "verify") {
      return this.#keys.has(key) ? { type: "done", output: step } : { type: "absent" };
    }
    if (!this.#keys.has(key)) {
      assert.ok(!this.has(step, direction), `"${step}" takes effect twice`);
      this.effects.push({ step, direction });
    }
    this.#keys.add(key);
    return { type: "done", output: step };
  }

  /** Certainly not done, unless it is; who is asked gives no answer. */
  decline(call: KeyedCall, error: Failure): Result {
    const isDone = call.direction !== "verify" && this.#keys.has(call.key);
    return isDone ? { type: "done", output: call.step } : { type: "failed", error };
  }
}

export class SagaLaw {
  readonly sink = new Sink();
  /** Of these an operator has said that they stay as they are. */
  readonly leftBehind = new Set<string>();
  readonly #definition: SagaDefinition;
  readonly #log: SagaEvent[] = [];
  readonly #timers = new Map<string, { dueAtMs: number; fired: boolean }>();
  #pivot: string | undefined;
  #isStopped = false;

  constructor(definition: SagaDefinition) {
    this.#definition = definition;
  }

  isWait(step: string): boolean {
    return namedNodes(this.#definition).some(({ name, type }) => name === step && type !== "step");
  }

  appended(event: SagaEvent, nowMs: number): void {
    this.#log.push(event);
    switch (event.type) {
      case "cancel_requested":
        this.#isStopped = true;
        return;
      case "timer_set":
        return this.#timerSet(event, nowMs);
      case "timer_fired":
        return this.#timerFired(event, nowMs);
      case "step_started":
        assert.ok(!this.#isStopped, `"${event.step}" starts after a cancel or the timeout`);
        if (event.payload.pivot) this.#pivot = event.step;
        return;
      case "step_failed":
        if (event.step === this.#pivot && event.payload.next === "compensate") this.#pivot = undefined;
        return;
      case "compensation_started":
        assert.equal(this.#pivot, undefined, `"${event.step}" is undone after the pivot`);
        return;
      case "saga_parked":
        return assert.notEqual(event.payload.reason, "");
      default:
        return;
    }
  }

  #timerSet({ step, payload }: { step?: string; payload: { dueAtMs: number } }, nowMs: number): void {
    const node = namedNodes(this.#definition).find(({ name }) => name === step);
    const delayMs =
      node?.type === "sleep"
        ? node.delayMs
        : node?.type === "signal"
          ? node.timeoutMs
          : this.#definition.timeoutMs;
    assert.equal(payload.dueAtMs, nowMs + (delayMs ?? Number.NaN));
    this.#timers.set(step ?? "", { ...payload, fired: false });
  }

  #timerFired({ step = "" }: { step?: string }, nowMs: number): void {
    const timer = this.#timers.get(step);
    assert.ok(timer && !timer.fired, `the timer of "${step}" fires twice, or was never set`);
    assert.ok(nowMs >= timer.dueAtMs, `the timer of "${step}" fires early`);
    timer.fired = true;
    if (step === "") this.#isStopped = true;
  }

  /** A call goes out: the last word on its step must be that it starts, with this attempt. */
  sent({ step, direction, attempt }: { step: string; direction: Direction; attempt: number }): void {
    const last = this.#log.findLast((event) => "step" in event && event.step === step);
    switch (direction) {
      case "execute":
        assert.equal(last?.type, "step_started", `"${step}" is called before its start is durable`);
        return assert.equal((last.payload as { attempt: number }).attempt, attempt);
      case "compensate":
        assert.equal(last?.type, "compensation_started", `"${step}" is undone before that is durable`);
        return assert.equal((last.payload as { attempt: number }).attempt, attempt);
      case "verify":
        return assert.ok(last, `"${step}" is asked about before it began`);
      default:
        return direction satisfies never;
    }
  }

  /** What must hold of the effects once nothing happens any more. */
  ended(state: string): void {
    this.#forwardInOrder();
    if (state === "completed" || state === "failed") this.#nothingUndone(state);
    if (state === "compensated" || state === "cancelled") this.#allUndone();
    if (state === "cancelled") assert.ok(this.#log.some(({ type }) => type === "cancel_requested"));
  }

  /** For each step the number of its node. */
  #places(): Map<string, number> {
    const { nodes } = this.#definition;
    return new Map(
      nodes.flatMap((node, index) =>
        (node.type === "parallel" ? node.branches : [node]).map(({ name }) => [name, index] as const),
      ),
    );
  }

  #forwardInOrder(): void {
    const places = this.#places();
    const order = this.sink.effects.filter(({ direction }) => direction === "execute");
    const taken = order.map(({ step }) => places.get(step) ?? -1);
    assert.deepEqual(
      taken,
      taken.toSorted((a, b) => a - b),
    );
  }

  #nothingUndone(state: string): void {
    assert.ok(!this.sink.effects.some(({ direction }) => direction === "compensate"));
    if (state === "failed") return assert.notEqual(this.#pivot, undefined);
    const skipped = new Set(
      this.#log.flatMap((event) =>
        event.type === "saga_resolved" && event.payload.action === "skip" ? event.payload.steps : [],
      ),
    );
    for (const node of namedNodes(this.#definition)) {
      if (node.type !== "step" || skipped.has(node.name)) continue;
      assert.ok(this.sink.has(node.name, "execute"), `completed without "${node.name}"`);
    }
  }

  /** Every compensable step that took effect is undone, the last first, and none that certainly did not. */
  #allUndone(): void {
    const { sink } = this;
    const places = this.#places();
    for (const node of namedNodes(this.#definition)) {
      if (node.type !== "step") continue;
      const { name } = node;
      assert.ok(
        !(node.pivot && sink.has(name, "execute")),
        `the pivot "${name}" took effect, and all is undone`,
      );
      if (!node.compensable || this.leftBehind.has(name)) continue;
      if (sink.has(name, "execute")) assert.ok(sink.has(name, "compensate"), `"${name}" is not undone`);
      const word = this.#log.findLast(
        ({ type, ...event }) => "step" in event && event.step === name && type.startsWith("step_"),
      );
      const isNot = word === undefined || word.type === "step_failed";
      const isRetried = word?.type === "step_failed" && word.payload.next === "retry";
      if (isNot && !isRetried)
        assert.ok(!sink.has(name, "compensate"), `"${name}" was not done, and is undone`);
    }
    const undone = sink.effects.filter(({ direction }) => direction === "compensate");
    const order = undone.map(({ step }) => places.get(step) ?? -1);
    assert.deepEqual(
      order,
      order.toSorted((a, b) => b - a),
    );
    for (const { step } of undone) assert.ok(sink.at(step, "compensate") > sink.at(step, "execute"));
  }
}
