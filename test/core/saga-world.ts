// A world for sagas: a log, an owner that may crash between any two appends, services that answer by the flips of a scripted coin, and
// people who cancel, send signals and resolve. It checks at every step what must always hold, and reads it off the log and the
// effects, never off the machine's own state. Used by property tests.
import assert from "node:assert/strict";
import type { SagaDefinition } from "../../src/config/saga-definition.ts";
import { fold, INITIAL, isEnded } from "../../src/core/saga.ts";
import { cancel, park, resolve, signal, start, type Answer } from "../../src/core/saga-command.ts";
import { decide } from "../../src/core/saga-decide.ts";
import { idempotencyKey, namedNodes } from "../../src/core/saga-definition.ts";
import type { SagaEvent } from "../../src/core/saga-event.ts";
import { callId, outcome, type Call, type Result } from "../../src/core/saga-outcome.ts";
import { SagaLaw } from "./saga-law.ts";

/** What is planted to see the checks find it. */
export interface Faults {
  fold?: typeof fold;
  decide?: typeof decide;
  outcome?: typeof outcome;
  key?: typeof idempotencyKey;
  sendsBeforeAppending?: boolean;
}

const ERROR = { message: "it did not work" };

export class SagaWorld {
  readonly definition: SagaDefinition;
  readonly log: SagaEvent[] = [];
  readonly law: SagaLaw;
  state = INITIAL;
  nowMs = 1_000_000;
  /** Ways that steps have gone, as `running → completed`. */
  readonly ways = new Set<string>();
  readonly #faults: Faults;
  readonly #fold: typeof fold;
  readonly #flip: () => number;
  readonly #away = new Map<string, Call>();
  #wakeAtMs: number | undefined;

  constructor(definition: SagaDefinition, flip: () => number, faults: Faults = {}) {
    this.definition = definition;
    this.#flip = flip;
    this.#faults = faults;
    this.#fold = faults.fold ?? fold;
    this.law = new SagaLaw(definition);
    this.#append(start(definition, { hash: "h", nowMs: this.nowMs }));
  }

  /** One of so many, from 0. */
  #pick(count: number): number {
    return this.#flip() % count;
  }

  /** Lets something happen, anything. */
  stir(): void {
    const chance = this.#pick(100);
    if (chance < 50) this.#answerOne();
    else if (chance < 75) this.#turnClock();
    else if (chance < 82) this.#crash();
    else if (chance < 84) this.#ask(cancel(this.state));
    else if (chance < 92) this.#send(["approved", "paid", "unheard"][this.#pick(3)] ?? "");
    else if (chance < 93) {
      const cause = this.#pick(2) === 0 ? "definition" : "internal";
      this.#append(park(this.state, { reason: "nobody knows it", cause }));
    } else this.#operate(["retry", "done", "skip", "abort"][this.#pick(4)] as "retry");
    this.turn();
  }

  /** Lets it come to its end: every call works, who is asked knows, an operator says what is true. */
  calm(): void {
    for (let rounds = 0; !isEnded(this.state); rounds++) {
      assert.ok(rounds < 500, `it does not come to an end: ${JSON.stringify(this.log.slice(-8))}`);
      const [call] = this.#away.values();
      if (call) this.#settle(call, this.law.sink.work(this.#keyed(call)));
      else if (this.state.status === "parked") this.#operate("done");
      else if (this.#wakeAtMs === undefined) ["approved", "paid"].forEach((name) => this.#send(name));
      else this.nowMs = Math.max(this.nowMs, this.#wakeAtMs);
      this.turn();
    }
  }

  /** What an owner does when something has happened. */
  turn(): void {
    const { nowMs } = this;
    const random = this.#pick(1000) / 1000;
    const inFlight = new Set(this.#away.keys());
    const decided = (this.#faults.decide ?? decide)(this.state, this.definition, { nowMs, random, inFlight });
    if (this.#faults.sendsBeforeAppending) decided.calls.forEach((call) => this.#sendOut(call));
    if (this.#pick(20) === 0) return this.#crash();
    this.#append(decided.append);
    if (Object.keys(this.#faults).length === 0) assert.deepEqual(decided.state, this.state);
    this.#wakeAtMs = decided.wakeAtMs;
    if (this.#pick(20) === 0) return this.#crash();
    if (!this.#faults.sendsBeforeAppending) decided.calls.forEach((call) => this.#sendOut(call));
    for (const id of decided.abort) {
      const call = this.#away.get(id);
      assert.ok(call, `aborts ${id}, which is not under way`);
      if (this.#pick(2) === 0) continue;
      this.#settle(call, this.#unknown(call));
      return this.turn();
    }
    const done = isEnded(this.state) || this.state.status === "parked";
    assert.equal(decided.done, done ? this.state.status : undefined);
    const isMoving = this.#away.size > 0 || this.#wakeAtMs !== undefined || this.#waitsForSignal();
    assert.ok(done || isMoving, `it is stuck without a word: ${JSON.stringify(this.log.slice(-5))}`);
  }

  #waitsForSignal(): boolean {
    return namedNodes(this.definition).some(
      ({ type, name }) => type === "signal" && this.state.steps.get(name)?.phase === "waiting",
    );
  }

  #append(events: readonly SagaEvent[]): void {
    for (const event of events) {
      this.law.appended(event, this.nowMs);
      this.log.push(event);
      const before = this.state.steps;
      this.state = this.#fold(this.state, event);
      for (const [name, { phase }] of this.state.steps) {
        const from = before.get(name);
        if (from && from !== this.state.steps.get(name)) this.ways.add(`${from.phase} → ${phase}`);
      }
    }
  }

  #keyed(call: Call): Call & { key: string } {
    return { ...call, key: (this.#faults.key ?? idempotencyKey)("execution_1", call) };
  }

  #sendOut(call: Call): void {
    this.law.sent(call);
    assert.ok(![...this.#away.values()].some(({ step }) => step === call.step), "two calls of one step");
    this.#away.set(callId(call), call);
  }

  #answerOne(): void {
    const calls = [...this.#away.values()];
    const call = calls[this.#pick(Math.max(1, calls.length))];
    if (call) this.#settle(call, this.#resultOf(call));
  }

  #settle(call: Call, result: Result): void {
    this.#away.delete(callId(call));
    const { nowMs } = this;
    const random = this.#pick(1000) / 1000;
    const events = (this.#faults.outcome ?? outcome)(this.state, this.definition, {
      call,
      result,
      nowMs,
      random,
    });
    if (this.#pick(15) === 0) return this.#crash();
    this.#append(events);
  }

  #resultOf(call: Call): Result {
    const chance = this.#pick(10);
    if (chance < 5) return this.law.sink.work(this.#keyed(call));
    if (chance < 6) return this.law.sink.decline(this.#keyed(call), ERROR);
    return chance < 8 ? { type: "notDone", error: ERROR } : this.#unknown(call);
  }

  /** It may have had its effect. */
  #unknown(call: Call): Result {
    if (this.#pick(2) === 0) this.law.sink.work(this.#keyed(call));
    return { type: "unknown", error: ERROR };
  }

  #crash(): void {
    for (const call of this.#away.values()) this.#unknown(call);
    this.#away.clear();
    this.#wakeAtMs = this.nowMs;
    const replayed = this.log.reduce(this.#fold, INITIAL);
    assert.deepEqual(replayed, this.state);
    this.state = replayed;
  }

  #turnClock(): void {
    const chance = this.#pick(8);
    if (chance === 0) this.nowMs -= this.#pick(2000);
    else if (chance < 4 || this.#wakeAtMs === undefined) this.nowMs += this.#pick(2000);
    else this.nowMs = Math.max(this.nowMs, this.#wakeAtMs);
  }

  #send(name: string): void {
    this.#ask(signal(this.state, this.definition, { name, payload: { by: name } }));
  }

  #ask(answer: Answer): void {
    if ("append" in answer) this.#append(answer.append);
    else assert.notEqual(answer.refused, "");
  }

  /** `done` and `skip` only where that is true, or where it is said that something is left behind. */
  #operate(wanted: "retry" | "done" | "skip" | "abort"): void {
    const { steps, parked } = this.state;
    const stuck = [...steps].filter(([, { phase }]) => phase === "stuck" || phase === "compensation_stuck");
    const [step, one] = stuck[this.#pick(Math.max(1, stuck.length))] ?? [];
    if (parked?.cause !== "steps" || step === undefined) {
      return this.#ask(resolve(this.state, { action: "retry" }));
    }
    const isUndo = one?.phase === "compensation_stuck";
    const isTrue = this.law.sink.has(step, isUndo ? "compensate" : "execute") || this.law.isWait(step);
    const word = wanted === "done" && !isTrue ? (isUndo ? "retry" : "skip") : wanted;
    const action = word === "skip" && isTrue ? "done" : word;
    if (action === "skip" && isUndo) this.law.leftBehind.add(step);
    this.#ask(resolve(this.state, { action, step, ...(action === "done" && { output: "said" }) }));
  }
}
