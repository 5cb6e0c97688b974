// How orders reach an execution that another replica owns: through the store that they share. Whoever is asked leaves a letter among what
// belongs to no tenant, where all replicas look; the owner carries it out and writes the answer in one commit, under its token, so that
// a letter has one answer whoever dies or takes over meanwhile. It decides nothing about executions.
//
//   asked ─▶ letter ─▶ owner: inbox ─▶ one commit: records + answer ─▶ asked: reads the answer, removes the letter
//                └ nobody owns it: whoever claims it next finds the letter └ nobody answers in time: the letter is withdrawn, by an answer
import type { Json } from "../core/json.ts";
import { keyOf, partsOf } from "../core/key.ts";
import { messageOf, PlaneError, StoreError } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";
import { type Entry, type Store, SYSTEM_TENANT } from "../ports/store.ts";
import { headOf } from "../ports/store-head.ts";
import { endedExecution, executionKey } from "./execution-entry.ts";
import type { Handler } from "./intents.ts";
import { askOf, type Order, refusal, refusedBy, storedAnswer } from "./orders.ts";
import type { Run } from "./run.ts";
import { Wake } from "./wake.ts";

const LETTERS = "order/";
const LETTERS_AT_ONCE = 100;
/** How often it looks when no hint has come. */
const LOOK_EVERY_MS = 500;
const LOOK_FOR_ANSWER_EVERY_MS = 250;
/** Beyond two leases: so long may who owns it take to come to it. */
const PATIENCE_MS = 10_000;
const IN_VAIN = "nobody has come to it in time; nothing was done, so ask again";
/** The answer outlives the letter by this. */
const ANSWER_KEPT_MS = 60_000;

export interface MailboxOptions {
  store: Store;
  clock: Clock;
  leaseMs: number;
  /** One that is owned here. */
  find: (tenant: string, execution: string) => Run | undefined;
  handlerOf: (definition: string) => Handler | undefined;
  /** Somebody asks for what may be nobody's. */
  claim: () => void;
  /** Names a letter; nobody else's is called so. */
  newName: () => string;
  /** It will be tried again. */
  onError: (message: string, error: unknown) => void;
}

export class Mailbox {
  readonly #options: MailboxOptions;
  readonly #patienceMs: number;
  /** Letters that were taken in, with the token under which they were. */
  #taken = new Set<string>();
  #isDue = false;
  #isLooking = false;
  #over: Error | undefined;
  #cancelLook = (): void => {};
  #unwatch = (): void => {};
  readonly #waiting = new Set<() => void>();

  constructor(options: MailboxOptions) {
    this.#options = options;
    this.#patienceMs = 2 * options.leaseMs + PATIENCE_MS;
  }

  start(): void {
    this.#unwatch = this.#options.store.watch(SYSTEM_TENANT, () => this.look());
    this.#lookLater();
  }

  /** Whoever waits for an answer is told `error`. */
  end(error: Error): void {
    this.#over ??= error;
    this.#cancelLook();
    this.#unwatch();
    for (const wake of this.#waiting) wake();
  }

  /** Resolves when its owner has done it; rejects with what the owner refuses it with, or when nobody takes it in time. */
  async send({ tenant, execution }: { tenant: string; execution: string }, order: Order): Promise<void> {
    const { store, clock, claim, newName } = this.#options;
    const { verb } = order;
    const name = newName();
    const inVain = storedAnswer(refusal(verb, execution, IN_VAIN));
    const untilMs = clock.now() + this.#patienceMs;
    const { timeMs } = await headOf(store, SYSTEM_TENANT);
    const expiresAtMs = timeMs + this.#patienceMs;
    const letter = keyOf("order", tenant, execution, name);
    const place = { key: answerKey(execution, name), expiresAtMs: expiresAtMs + ANSWER_KEPT_MS };
    await store.commit(SYSTEM_TENANT, { put: [{ key: letter, value: order as Json, expiresAtMs }] });
    claim();
    try {
      const keys = [place.key, executionKey(execution)];
      const [answer, ended] = await this.#until(tenant, async () => {
        if (clock.now() >= untilMs) await this.#withdraw(tenant, { ...place, value: inVain });
        const found = await store.get(tenant, keys);
        return found.some((entry) => entry) ? found : undefined;
      });
      const refused = answer ? refusedBy(answer.value) : hasEnded(ended, { verb, execution, tenant });
      if (refused) throw refused;
    } finally {
      // Also when that fails it expires.
      store.commit(SYSTEM_TENANT, { remove: [letter] }).catch(() => {});
    }
  }

  /** Takes in what is there for executions that are owned here. */
  look(): void {
    this.#isDue = true;
    if (this.#isLooking) return;
    this.#isLooking = true;
    this.#takeIn()
      .catch((error: unknown) => {
        // The store tells of its own troubles.
        if (!(this.#over || error instanceof StoreError))
          this.#options.onError(`cannot look for orders: ${messageOf(error)}`, error);
      })
      .finally(() => (this.#isLooking = false));
  }

  #lookLater(): void {
    this.#cancelLook = this.#options.clock.after(LOOK_EVERY_MS, () => {
      this.look();
      this.#lookLater();
    });
  }

  async #takeIn(): Promise<void> {
    while (this.#isDue && !this.#over) {
      this.#isDue = false;
      const taken = new Set<string>();
      for (let after = ""; ;) {
        const query = { prefix: LETTERS, after, limit: LETTERS_AT_ONCE };
        const { items, cursor } = await this.#options.store.scan(SYSTEM_TENANT, query);
        for (const letter of items) this.#hand(letter, taken);
        if (cursor === undefined) break;
        after = cursor;
      }
      this.#taken = taken;
    }
  }

  #hand({ key, value, expiresAtMs = 0 }: Entry, taken: Set<string>): void {
    const [, tenant = "", execution = "", name = ""] = partsOf(key);
    const run = this.#options.find(tenant, execution);
    if (!run?.claim) return;
    // Whoever owns it anew begins anew.
    const mark = `${run.claim.token} ${name}`;
    taken.add(mark);
    if (this.#taken.has(mark)) return;
    const place = { key: answerKey(execution, name), expiresAtMs: expiresAtMs + ANSWER_KEPT_MS };
    this.#carryOut(run, value as unknown as Order, place).catch((error: unknown) =>
      this.#options.onError(`cannot take an order for "${execution}": ${messageOf(error)}`, error),
    );
  }

  async #carryOut(run: Run, order: Order, place: { key: string; expiresAtMs: number }): Promise<void> {
    const { store, handlerOf } = this.#options;
    const { tenant, definition } = run.facts;
    try {
      const ask = await askOf(order, handlerOf(definition));
      // What becomes of it stands in the store, also when it is this process's no more.
      run.order({ verb: order.verb, ask, answer: place }).catch(() => {});
    } catch (error) {
      if (!(error instanceof PlaneError)) throw error;
      const expect = [{ key: place.key, version: 0 }];
      const put = [{ ...place, value: storedAnswer(error) }];
      await store.commit(tenant, { expect, put, ...(run.claim && { owner: run.claim }) });
    }
  }

  /** By an answer of one's own, unless there is one: then nobody carries it out any more. */
  async #withdraw(tenant: string, answer: { key: string; value: Json; expiresAtMs: number }): Promise<void> {
    const expect = [{ key: answer.key, version: 0 }];
    await this.#options.store.commit(tenant, { expect, put: [answer] });
  }

  /** Looks again after each hint, and now and then, until there is something. */
  async #until<T>(tenant: string, find: () => Promise<T | undefined>): Promise<T> {
    const wake = new Wake();
    this.#waiting.add(wake.set);
    const unwatch = this.#options.store.watch(tenant, wake.set);
    try {
      for (;;) {
        wake.clear();
        if (this.#over) throw this.#over;
        const found = await find();
        if (found !== undefined) return found;
        const cancel = this.#options.clock.after(LOOK_FOR_ANSWER_EVERY_MS, wake.set);
        await wake.wait();
        cancel();
      }
    } finally {
      unwatch();
      this.#waiting.delete(wake.set);
    }
  }
}

const answerKey = (execution: string, name: string): string => keyOf("answer", execution, name);

/** Nobody answers what came after the end. */
function hasEnded(
  ended: Entry | undefined,
  { verb, execution, tenant }: { verb: string; execution: string; tenant: string },
): PlaneError | undefined {
  if (!ended) return undefined;
  const { state } = endedExecution(ended.value, { id: execution, tenant });
  return refusal(verb, execution, `it is ${state}`);
}
