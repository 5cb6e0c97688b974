// One execution in the memory of its owner. What concerns it, results and orders, waits in its inbox; a turn takes all of that, asks its
// machine, writes what is decided in one commit, and only when that is durable tells anybody, lets calls go out and sets timers. Nothing
// of it is ever ahead of the log: its state is that of what is durable.
//
//   inbox ─▶ turn: outcome / order, then decide ─▶ one commit ─▶ durable: answer orders · abort · calls out · timer
//     ▲                                                                                        │
//     └──────────────────────────── results of calls ◀─────────────────────────────────────────┘
import type { Json } from "../core/json.ts";
import { idempotencyKey } from "../core/saga-definition.ts";
import { type Call, callId, type Result } from "../core/saga-outcome.ts";
import { messageOf } from "../errors.ts";
import type { Execution, ExecutionState } from "../ports/plane.ts";
import type { Claim, CommitResult, NewRecord } from "../ports/store.ts";
import { type CallContext, callInTime } from "./calls.ts";
import { endedEntry, executionKey, type Facts, isEnded, openKey } from "./execution-entry.ts";
import { sagaIdOf } from "./ids.ts";
import { type Handler, isFunction, unknownMachine } from "./intents.ts";
import type { AnyMachine, Progress, RunEvent } from "./machine.ts";
import { type AnswerPlace, type Asked, Elsewhere, refusal, storedAnswer } from "./orders.ts";
import type { RunHost } from "./run-host.ts";

type Item = Asked | { call: Call; result: Result };

interface Now {
  state: unknown;
  nowMs: number;
}

/** What a turn has come to, before it is written. */
interface Thought {
  append: readonly RunEvent[];
  progress: Progress<unknown>;
  granted: readonly Asked[];
  /** For those who find it in the store: that it was done, or why not. */
  answers: readonly (AnswerPlace & { value: Json })[];
  /** What it was made of. */
  items: readonly Item[];
  /** What it has come to, should it have. */
  ended: Execution | undefined;
}

export class Run {
  readonly facts: Facts;
  /** It waits for its turn. */
  isQueued = false;
  readonly #host: RunHost<Run>;
  readonly #saga: string | undefined;
  #machine: AnyMachine;
  #handler: Handler | undefined;
  #state: unknown;
  #updatedAtMs: number;
  #claim: Claim | undefined;
  #inbox: Item[] = [];
  #isWriting = false;
  /** It was to have a turn while it was written: what came too late for that is looked at after it. */
  #isTurnDue = false;
  #isOver = false;
  #isLeaving = false;
  readonly #inFlight = new Set<string>();
  readonly #controllers = new Map<string, AbortController>();
  #input: Promise<unknown> | undefined;
  #onIdle: (() => void)[] = [];
  /** What it has come to, once it is written. */
  #ended: Execution | undefined;

  constructor(facts: Facts, host: RunHost<Run>) {
    this.facts = facts;
    this.#host = host;
    this.#saga = isFunction(facts.definition) ? undefined : sagaIdOf(facts.id);
    this.#handler = host.handlerOf(facts.definition);
    this.#machine = this.#handler?.machine ?? unknownMachine(facts);
    this.#state = this.#machine.initial;
    this.#updatedAtMs = facts.createdAtMs;
  }

  get status(): ExecutionState {
    return this.#machine.status(this.#state);
  }

  get claim(): Claim | undefined {
    return this.#claim;
  }

  get awaitsDefinition(): boolean {
    return this.#machine.awaitsDefinition(this.#state);
  }

  /** It has come to its end for this process, and may not have for others. */
  get isAbandoned(): boolean {
    return this.#isOver && !isEnded(this.status);
  }

  /** Takes a record of its log, in order, before it is owned. */
  fold(event: RunEvent, timeMs: number): void {
    this.#state = this.#machine.fold(this.#state, event);
    this.#updatedAtMs = timeMs;
  }

  own(claim: Claim): void {
    this.#claim = claim;
  }

  view(): Execution {
    return this.#ended ?? this.#look(this.#state, this.#updatedAtMs);
  }

  /** Resolves with what it is once that is durable; rejects with `conflict` where its state does not allow it. */
  order(order: Pick<Asked, "verb" | "ask" | "answer">): Promise<Execution> {
    if (this.isAbandoned) return Promise.reject(new Elsewhere(this.facts.id));
    return new Promise((resolve, reject) => {
      this.#inbox.push({ ...order, resolve, reject });
      if (this.#isOver) this.#answerLate();
      else this.#host.soon(this);
    });
  }

  /** No further call goes out when none is under way: others go on with it. Resolves when nothing is. */
  leave(): Promise<void> {
    this.#isLeaving = true;
    return this.whenIdle();
  }

  get isLeaving(): boolean {
    return this.#isLeaving;
  }

  /** Resolves when nothing of it is under way; at once if so. */
  whenIdle(): Promise<void> {
    return this.#isIdle() ? Promise.resolve() : new Promise((resolve) => this.#onIdle.push(resolve));
  }

  /** It is over for this process: calls are aborted, what they give does not count, and orders are rejected. */
  abandon(error: Error): void {
    this.#isOver = true;
    for (const item of this.#inbox) if ("reject" in item) item.reject(error);
    this.#inbox = [];
    for (const controller of this.#controllers.values()) controller.abort(error);
    this.#tellIdle();
  }

  turn(): void {
    this.#isTurnDue = this.#isWriting;
    if (this.#isWriting || this.#isOver || !this.#claim) return;
    const thought = this.#think();
    // Not before: should anything throw, whoever asks is still there to be told.
    this.#inbox = [];
    const { append, progress, granted, answers } = thought;
    if (append.length + answers.length === 0) {
      for (const order of granted) order.resolve(this.view());
      this.#follow(progress);
      return;
    }
    this.#isWriting = true;
    this.#host.failpoint("execution-commit");
    const written = this.#write(thought).then((result) => this.#written(result, thought));
    written.catch((error: unknown) => {
      this.#isWriting = false;
      for (const order of granted) order.reject(error as Error);
      this.#host.failed(this, error);
    });
  }

  /** Goes through the inbox, and looks what follows. */
  #think(): Thought {
    this.#lookUpHandler();
    const machine = this.#machine;
    const nowMs = this.#host.nowMs();
    const append: RunEvent[] = [];
    const granted: Asked[] = [];
    const answers: (AnswerPlace & { value: Json })[] = [];
    let state = this.#state;
    const take = (events: readonly RunEvent[]): void => {
      for (const event of events) {
        state = machine.fold(state, event);
        append.push(event);
      }
    };
    const items = this.#inbox;
    for (const item of items) {
      if ("result" in item) {
        take(this.#outcome(item, { state, nowMs }));
        continue;
      }
      const answer = item.ask(machine, state);
      if ("append" in answer) {
        take(answer.append);
        granted.push(item);
      }
      const refused = "refused" in answer ? refusal(item.verb, this.facts.id, answer.refused) : undefined;
      if (item.answer) answers.push({ ...item.answer, value: storedAnswer(refused) });
      else if (refused) item.reject(refused);
    }
    if (this.#handler && machine.awaitsDefinition(state)) {
      const answer = machine.resolve(state, { action: "retry" });
      if ("append" in answer) take(answer.append);
    }
    const progress = this.#decide({ state, nowMs });
    append.push(...progress.append);
    // When it is written nobody knows before.
    const ended = isEnded(machine.status(progress.state)) ? this.#look(progress.state, nowMs) : undefined;
    return { append, progress, granted, answers, items, ended };
  }

  /** What carries it out may have been registered, or anew, since the last turn. */
  #lookUpHandler(): void {
    const { definition } = this.facts;
    const handler = this.#host.handlerOf(definition);
    if (handler === this.#handler) return;
    this.#handler = handler;
    this.#machine = handler?.machine ?? unknownMachine(this.facts);
    this.#input = undefined;
  }

  #outcome({ call, result }: { call: Call; result: Result }, { state, nowMs }: Now): readonly RunEvent[] {
    const id = callId(call);
    this.#inFlight.delete(id);
    this.#controllers.delete(id);
    return this.#machine.outcome(state, { call, result, nowMs, random: this.#host.random() });
  }

  #decide({ state, nowMs }: Now): Progress<unknown> {
    const { mode } = this.#host;
    const nothing = { append: [], state, calls: [], abort: [] };
    if (mode === "held" || mode === "over") return nothing;
    const progress = this.#machine.decide(state, {
      nowMs,
      random: this.#host.random(),
      inFlight: this.#inFlight,
    });
    const isToStop = mode === "finishing" || (this.#isLeaving && this.#inFlight.size === 0);
    return isToStop && progress.calls.length > 0 ? nothing : progress;
  }

  #write({ append, answers, ended }: Thought): Promise<CommitResult> {
    const { tenant, id } = this.facts;
    const end = ended && { key: executionKey(id), value: endedEntry(ended), ...this.#host.keptUntil() };
    return this.#host.store.commit(tenant, {
      append: append.map((event) => this.#record(event)),
      ...(answers.length > 0 && { expect: answers.map(({ key }) => ({ key, version: 0 })) }),
      ...((end || answers.length > 0) && { put: end ? [end, ...answers] : answers }),
      ...(end && { remove: [openKey(id)] }),
      ...(this.#claim && { owner: this.#claim }),
    });
  }

  #record({ type, step, payload }: RunEvent): NewRecord {
    const { id, session } = this.facts;
    const record: NewRecord = { id: this.#host.ids.event(), type, session, execution: id, payload };
    // Not by spreading: there are two of these for every step.
    if (this.#saga !== undefined) record.saga = this.#saga;
    if (step !== undefined) record.step = step;
    return record;
  }

  #written(result: CommitResult, { progress, granted, items, ended }: Thought): void {
    this.#isWriting = false;
    if (!result.ok) {
      if (result.reason === "conflict") return this.#thinkAgain(items, result.key);
      for (const order of granted) order.reject(new Elsewhere(this.facts.id));
      this.#host.fenced(this);
      return;
    }
    this.#host.failpoint("execution-durable");
    const before = this.status;
    this.#state = progress.state;
    this.#updatedAtMs = result.timeMs;
    this.#host.heard(result.timeMs);
    this.#ended = ended;
    this.#isOver ||= ended !== undefined;
    const { status } = this;
    for (const order of granted) order.resolve(this.view());
    if (status !== before) this.#host.changed(this);
    this.#follow(progress);
  }

  /** Nothing was written: whoever asked this has its answer already, or has given up. */
  #thinkAgain(items: readonly Item[], answered: string): void {
    if (this.#isOver) {
      for (const item of items) if ("ask" in item) item.reject(new Elsewhere(this.facts.id));
      return;
    }
    const rest = items.filter((item) => !("ask" in item) || item.answer?.key !== answered);
    this.#inbox = [...rest, ...this.#inbox];
    this.#host.soon(this);
  }

  #follow({ calls, abort, wakeAtMs }: Progress<unknown>): void {
    if (this.#isOver) return this.#answerLate();
    for (const id of abort)
      this.#controllers.get(id)?.abort(new DOMException("nobody needs it any more", "AbortError"));
    for (const call of calls) this.#call(call);
    this.#host.wakeAt(this, wakeAtMs);
    if (this.#isTurnDue || this.#inbox.length > 0) this.#host.soon(this);
    else this.#tellIdle();
  }

  /** Orders that came while its end was written. */
  #answerLate(): void {
    const inbox = this.#inbox;
    this.#inbox = [];
    for (const item of inbox) {
      if (!("ask" in item)) continue;
      const answer = item.ask(this.#machine, this.#state);
      if ("refused" in answer) item.reject(refusal(item.verb, this.facts.id, answer.refused));
      else item.resolve(this.view());
    }
    this.#tellIdle();
  }

  #call(call: Call): void {
    const handler = this.#handler;
    if (!handler) throw new Error(`internal: nobody carries out "${this.facts.type}"`);
    const id = callId(call);
    const controller = new AbortController();
    this.#inFlight.add(id);
    this.#controllers.set(id, controller);
    const context = this.#context(call, controller.signal);
    const { clock, deadlines, failpoint } = this.#host;
    failpoint("call-out");
    const land = (result: Result): void => {
      failpoint("call-answered");
      if (this.#isOver) return;
      this.#inbox.push({ call, result });
      this.#host.soon(this);
    };
    callInTime(context, { make: handler.call, clock, deadlines, controller }).then(land, (error: unknown) =>
      land({ type: "unknown", error: { message: messageOf(error), reason: "internal" } }),
    );
  }

  #context(call: Call, signal: AbortSignal): CallContext {
    const { id, type, session, payload } = this.facts;
    const state = this.#state;
    const output = call.direction === "compensate" ? this.#machine.outputOf(state, call.step) : undefined;
    return {
      call,
      intent: type,
      session,
      execution: id,
      saga: this.#saga ?? "",
      key: idempotencyKey(id, call),
      payload,
      input: () => (this.#input ??= this.#parse()),
      outputs: () => this.#machine.outputs(state),
      output,
      signal,
    };
  }

  async #parse(): Promise<unknown> {
    const { payload } = this.facts;
    const checked = await this.#handler?.check(payload, "payload");
    if (!checked) return payload;
    if ("value" in checked) return checked.value;
    const problems = checked.problems.map(({ path, message }) => `${path}: ${message}`);
    throw new Error(`its payload is not what it takes any more: ${problems.join("; ")}`);
  }

  #look(state: unknown, updatedAtMs: number): Execution {
    const { tenant, id, type, session, definition, payload, createdAtMs } = this.facts;
    const { state: status, result, error, steps } = this.#machine.look(state);
    return {
      id,
      type,
      tenant,
      session,
      state: status,
      payload,
      ...(result !== undefined && { result }),
      ...(error && { error }),
      ...(this.#saga !== undefined && { saga: { id: this.#saga, definition, steps: steps ?? [] } }),
      createdAtMs,
      updatedAtMs,
    };
  }

  #isIdle(): boolean {
    return this.#isOver || (!this.#isWriting && this.#inFlight.size === 0 && this.#inbox.length === 0);
  }

  #tellIdle(): void {
    if (this.#onIdle.length === 0 || !this.#isIdle()) return;
    for (const tell of this.#onIdle) tell();
    this.#onIdle = [];
  }
}
