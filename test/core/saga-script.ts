// One saga, told what happens to it line by line, with a clock turned by hand and no chance in it.
import type { Json } from "../../src/core/json.ts";
import assert from "node:assert/strict";
import type { SagaDefinition } from "../../src/config/saga-definition.ts";
import { fold, INITIAL } from "../../src/core/saga.ts";
import { type Answer, cancel, type Resolution, resolve, signal, start } from "../../src/core/saga-command.ts";
import { decide, type Decision } from "../../src/core/saga-decide.ts";
import type { Direction } from "../../src/core/saga-definition.ts";
import type { SagaEvent } from "../../src/core/saga-event.ts";
import { type Call, callId, outcome, type Result } from "../../src/core/saga-outcome.ts";
import { type SagaView, viewOf } from "../../src/core/saga-view.ts";

export const FAILED: Result = { type: "failed", error: { message: "no" } };
export const NOT_DONE: Result = { type: "notDone", error: { message: "busy" } };
export const UNKNOWN: Result = { type: "unknown", error: { message: "cut" } };

/** An event in short: `step_started a 1`, `step_failed a 1 compensate`. */
function brief(event: SagaEvent): string {
  const { attempt, next } = event.payload as { attempt?: number; next?: string };
  const step = "step" in event ? event.step : undefined;
  return [event.type, step, attempt, next].filter((part) => part !== undefined).join(" ");
}

export class SagaScript {
  readonly definition: SagaDefinition;
  readonly log: SagaEvent[] = [];
  state = INITIAL;
  nowMs = 0;
  last: Decision = { append: [], state: INITIAL, calls: [], abort: [] };
  readonly #away = new Map<string, Call>();

  constructor(definition: SagaDefinition) {
    this.definition = definition;
    this.append(start(definition, { hash: "h", nowMs: 0 }));
    this.turn();
  }

  append(events: readonly SagaEvent[]): void {
    for (const event of events) this.state = fold(this.state, event);
    this.log.push(...events);
  }

  /** What is new in the log, in short. */
  turn(events: readonly SagaEvent[] = []): string[] {
    const before = this.log.length;
    this.append(events);
    const inFlight = new Set(this.#away.keys());
    this.last = decide(this.state, this.definition, { nowMs: this.nowMs, random: 0, inFlight });
    this.append(this.last.append);
    assert.deepEqual(this.state, this.last.state);
    for (const call of this.last.calls) this.#away.set(callId(call), call);
    return this.log.slice(before).map(brief);
  }

  get away(): string[] {
    return [...this.#away.keys()];
  }

  answer(step: string, result: Result, direction: Direction = "execute"): string[] {
    const call = [...this.#away.values()].find((one) => one.step === step && one.direction === direction);
    assert.ok(call, `no ${direction} of "${step}" is under way, only ${this.away.join(" ")}`);
    this.#away.delete(callId(call));
    const { nowMs } = this;
    return this.turn(outcome(this.state, this.definition, { call, result, nowMs, random: 0 }));
  }

  done(step: string, output?: Json): string[] {
    return this.answer(step, { type: "done", ...(output !== undefined && { output }) });
  }

  undone(step: string): string[] {
    return this.answer(step, { type: "done" }, "compensate");
  }

  /** Turns the clock to when it wants to look again. */
  wait(): string[] {
    assert.ok(this.last.wakeAtMs !== undefined, "it waits for no time");
    this.nowMs = this.last.wakeAtMs;
    return this.turn();
  }

  crash(): string[] {
    this.#away.clear();
    return this.turn();
  }

  ask(answer: Answer): string[] {
    return "append" in answer ? this.turn(answer.append) : [answer.refused];
  }

  cancel = (): string[] => this.ask(cancel(this.state));
  signal = (name: string, payload?: Json): string[] =>
    this.ask(signal(this.state, this.definition, { name, ...(payload !== undefined && { payload }) }));
  resolve = (resolution: Resolution): string[] => this.ask(resolve(this.state, resolution));

  get view(): SagaView {
    return viewOf(this.state, this.definition);
  }

  /** The states of the saga and of its steps: `running: a completed, b running`. */
  get shown(): string {
    const { state, steps } = this.view;
    return `${state}: ${steps.map((step) => `${step.name} ${step.state}`).join(", ")}`;
  }
}
