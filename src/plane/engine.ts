// The loop that moves executions on: it claims what is open, keeps each in memory, and gives those that have something to do their turns,
// so many at once that nothing else has to wait. At a start it folds the logs of all that is open before it is ready, and begins to move
// them when told to; at a stop it lets calls come to their end and hands the rest over.
//
//   new ─recover─▶ held ─run─▶ running ─stop─▶ finishing ─▶ over
//                                  └──────── store lost ──────▶ over
import { SteadyTime } from "../core/steady-time.ts";
import { messageOf, PlaneError, StoreError } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";
import type { Failpoint } from "../ports/failpoint.ts";
import type { Execution } from "../ports/plane.ts";
import type { Claim, Json, LogRecord, Ownership, Ownerships, Store } from "../ports/store.ts";
import type { Deadlines } from "./calls.ts";
import { type Facts, isEnded, isSettled } from "./execution-entry.ts";
import { type Ids, newIds } from "./ids.ts";
import type { Handler, IntentRegistry } from "./intents.ts";
import { Leases } from "./leases.ts";
import { Run, type RunHost } from "./run.ts";
import { nextTurn } from "./turn.ts";
import { WakeQueue } from "./wake-queue.ts";

/** So many executions have their turn before timers and sockets have theirs. */
const RUNS_A_TURN = 64;
const RECORDS_AT_ONCE = 1000;

export interface EngineOptions {
  store: Store & Ownerships;
  intents: IntentRegistry;
  clock: Clock;
  failpoint: Failpoint;
  /** How long what has ended, and idempotency keys, are kept. Default: for ever. */
  keepMs?: number;
  /** What should never happen, and what it happened to. */
  onError: (message: string, error: unknown) => void;
  /** From 0 up to, not including, 1. Default: `Math.random`. */
  random?: () => number;
}

export class Engine implements RunHost {
  readonly store: Store & Ownerships;
  readonly clock: Clock;
  readonly failpoint: Failpoint;
  readonly ids: Ids = newIds();
  readonly deadlines: Deadlines;
  readonly intents: IntentRegistry;
  readonly random: () => number;
  readonly #keepMs: number;
  readonly #onError: EngineOptions["onError"];
  readonly #runs = new Map<string, Run>();
  readonly #wakes: WakeQueue<Run>;
  /** Those that nobody here knew what carries out. */
  readonly #unknown = new Set<Run>();
  /** To be parked, since to go on with them has failed. */
  readonly #broken = new Set<string>();
  readonly #listeners = new Map<string, Set<() => void>>();
  readonly #leases: Leases;
  #handedOver: Claim[] = [];
  #mode: RunHost["mode"] = "held";
  #ready: Run[] = [];
  #isScheduled = false;
  #lost: StoreError | undefined;
  readonly #time = new SteadyTime({ timeMs: -Infinity, monotonicMs: 0 });

  constructor({
    store,
    intents,
    clock,
    failpoint,
    onError,
    keepMs = Infinity,
    random = Math.random,
  }: EngineOptions) {
    this.store = store;
    this.intents = intents;
    this.clock = clock;
    this.failpoint = failpoint;
    this.random = random;
    this.#keepMs = keepMs;
    this.#onError = onError;
    this.deadlines = new WakeQueue({ clock, nowMs: () => clock.now(), wake: (expire) => expire() });
    this.#wakes = new WakeQueue({ clock, nowMs: () => this.nowMs(), wake: (run) => this.soon(run) });
    this.#leases = new Leases({
      store,
      clock,
      known: () => intents.definitions,
      owned: () => [...this.#runs.values()].flatMap(({ claim }) => claim ?? []),
      take: (claim) => this.#take(claim),
      lost: ({ execution, token }) => {
        const run = this.#runs.get(execution);
        if (run?.claim?.token === token) this.fenced(run);
      },
      onError,
    });
    intents.onRegistered(() => {
      this.#unknown.forEach((run) => this.soon(run));
      this.#leases.knowsMore();
    });
  }

  get mode(): RunHost["mode"] {
    return this.#mode;
  }

  /** Executions move, or will by themselves. */
  get isMoving(): boolean {
    return this.#mode === "held" || this.#mode === "running";
  }

  /** Why nothing moves any more. */
  get lostTo(): StoreError | undefined {
    return this.#lost;
  }

  /** How many are in memory: open, and owned by this process or about to be. */
  get openCount(): number {
    return this.#runs.size;
  }

  /** Claims what is open and folds its logs. Nothing moves yet. */
  recover(): Promise<void> {
    return this.#leases.start();
  }

  /** From now on executions move. What nobody has registered by now is not known. */
  run(): void {
    if (this.#mode !== "held") return;
    this.#mode = "running";
    for (const run of this.#runs.values()) this.soon(run);
  }

  /**
   * No further call goes out. Resolves when those under way have come to their end, or, when `signal` aborts first, with the executions
   * whose calls were cut; what is open is free for others then.
   */
  async stop({ signal }: { signal: AbortSignal }): Promise<{ late: readonly string[] }> {
    if (this.#mode === "over") return { late: [] };
    this.#mode = "finishing";
    this.#leases.stopLooking();
    this.#wakes.clear();
    for (const tell of [...this.#listeners.values()].flatMap((all) => [...all])) tell();
    const busy = new Set(this.#runs.values());
    const idle = [...busy].map((run) =>
      run.whenIdle().then(() => {
        busy.delete(run);
        if (this.#leases.areShared) this.#handOver(run);
      }),
    );
    await Promise.race([Promise.all(idle), aborted(signal)]);
    if (this.#lost) return { late: [] };
    this.#mode = "over";
    const runs = [...this.#runs.values()];
    const late = [...busy].map(({ facts }) => facts.id);
    this.#end(stopping());
    await this.store.release([...this.#handedOver, ...runs.flatMap(({ claim }) => claim ?? [])]);
    return { late };
  }

  /** Resolves when no call and no write is under way: what is left waits for time, a signal or somebody. */
  async whenStill(): Promise<void> {
    do {
      await nextTurn();
      await Promise.all([...this.#runs.values()].map((run) => run.whenIdle()));
    } while (this.#ready.length > 0 || this.#leases.isBusy || this.#broken.size > 0);
  }

  /** Others may go on with it while this process still waits for the calls of the rest. */
  #handOver(run: Run): void {
    this.#forget(run);
    run.abandon(stopping());
    if (!run.claim || this.#handedOver.push(run.claim) > 1) return;
    void nextTurn().then(() => this.store.release(this.#handedOver.splice(0)).catch(() => {}));
  }

  /** Nothing can be written any more: everything stands still. */
  lost(error: unknown): void {
    if (this.#lost || this.#mode === "over") return;
    this.#lost =
      error instanceof StoreError
        ? error
        : new StoreError(`cannot write what an execution decided: ${messageOf(error)}`, { cause: error });
    this.#mode = "over";
    this.#end(this.#lost);
  }

  #end(error: Error): void {
    this.#leases.stop();
    this.deadlines.clear();
    this.#wakes.clear();
    this.#ready = [];
    this.#unknown.clear();
    for (const run of this.#runs.values()) run.abandon(error);
    this.#runs.clear();
    for (const tell of [...this.#listeners.values()].flatMap((all) => [...all])) tell();
  }

  /** A new one, durable by now, and this process's to carry out if `own` is said. */
  track(facts: Facts, own: Ownership | undefined): Run {
    const run = new Run(facts, this);
    this.heard(facts.createdAtMs);
    if (!own) return run;
    const claim = { ...own, tenant: facts.tenant };
    run.own(claim);
    if (this.isMoving) this.#hold(run);
    // It has been written while everything came to its end: somebody else's, or that of the next start.
    else if (!this.#lost) this.store.release([claim]).catch(() => {});
    return run;
  }

  #hold(run: Run): void {
    this.#runs.set(run.facts.id, run);
    if (run.awaitsDefinition) this.#unknown.add(run);
    if (this.#mode === "running") this.soon(run);
  }

  /** One that is open, if it is in memory here. */
  find(tenant: string, id: string): Run | undefined {
    const run = this.#runs.get(id);
    return run?.facts.tenant === tenant ? run : undefined;
  }

  /** Folds the log of one that is not in memory. */
  async read(tenant: string, id: string): Promise<Run | undefined> {
    let run: Run | undefined;
    for (let after = 0; ;) {
      const records = await this.store.log(tenant, { after, limit: RECORDS_AT_ONCE, execution: id });
      for (const record of records) {
        if (run) run.fold(record, record.timeMs);
        else run = new Run(factsOf(record, id), this);
        after = record.seq;
      }
      if (records.length < RECORDS_AT_ONCE) return run;
    }
  }

  /** Calls `tell` when it has settled, or nothing moves any more. Returns a function that ends it. */
  onSettled(id: string, tell: () => void): () => void {
    const listeners = this.#listeners.get(id) ?? new Set();
    this.#listeners.set(id, listeners.add(tell));
    return () => {
      listeners.delete(tell);
      if (listeners.size === 0 && this.#listeners.get(id) === listeners) this.#listeners.delete(id);
    };
  }

  nowMs(): number {
    return this.#time.at({ wallMs: this.clock.wallTime(), monotonicMs: this.clock.now() });
  }

  keptUntil(): { expiresAtMs?: number } {
    return this.#keepMs === Infinity ? {} : { expiresAtMs: this.nowMs() + this.#keepMs };
  }

  heard(timeMs: number): void {
    if (timeMs > this.nowMs()) this.#time.heard(timeMs);
  }

  handlerOf(definition: string): Handler | undefined {
    return this.intents.ofDefinition(definition);
  }

  soon(run: Run): void {
    if (run.isQueued || this.#mode === "over") return;
    run.isQueued = true;
    this.#ready.push(run);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => this.#giveTurns());
  }

  #giveTurns(): void {
    const turns = this.#ready.length > RUNS_A_TURN ? this.#ready.splice(0, RUNS_A_TURN) : this.#ready;
    if (turns === this.#ready) this.#ready = [];
    for (const run of turns) {
      run.isQueued = false;
      try {
        run.turn();
      } catch (error) {
        this.failed(run, error);
      }
    }
    this.#isScheduled = this.#ready.length > 0;
    if (this.#isScheduled) void nextTurn().then(() => this.#giveTurns());
  }

  wakeAt(run: Run, atMs: number | undefined): void {
    if (this.#mode === "running") this.#wakes.set(run, atMs);
  }

  changed(run: Run): void {
    if (run.awaitsDefinition) {
      this.#unknown.add(run);
      // It may have been registered while this was written.
      if (this.handlerOf(run.facts.definition)) this.soon(run);
    } else this.#unknown.delete(run);
    const { status } = run;
    if (isEnded(status)) this.#forget(run);
    if (isSettled(status)) this.#tell(run.facts.id);
  }

  failed(run: Run, error: unknown): void {
    if (error instanceof StoreError) return this.#unwritten(run, error);
    const { id } = run.facts;
    const isOurs = this.#runs.get(id) === run && this.isMoving;
    this.#forget(run);
    run.abandon(error as Error);
    this.#onError(`cannot go on with "${id}": ${messageOf(error)}`, error);
    if (!run.claim || !isOurs || this.#broken.has(id)) return;
    this.#broken.add(id);
    this.#park(run.claim, `to go on with it has failed: ${messageOf(error)}`)
      .catch((cause: unknown) => this.#onError(`cannot park "${id}": ${messageOf(cause)}`, cause))
      .finally(() => this.#broken.delete(id));
  }

  /** In a store that others share it is let go of, and whoever claims it next, perhaps this process, goes by what the log says. */
  #unwritten(run: Run, error: StoreError): void {
    if (!this.#leases.areShared) return this.lost(error);
    this.#forget(run);
    run.abandon(error);
    this.#tell(run.facts.id);
  }

  /** Begins anew with what is durable of it, and says there for everybody that it stands, and why. */
  async #park(claim: Claim, reason: string): Promise<void> {
    let parked: Promise<Execution> | undefined;
    await this.#take(claim, (run) => {
      parked = run.order("park", (machine, state) => ({ append: machine.broken(state, reason) }));
    });
    await parked;
  }

  fenced(run: Run): void {
    this.#forget(run);
    run.abandon(new PlaneError("conflict", `cannot go on with "${run.facts.id}": it runs elsewhere by now`));
    this.#tell(run.facts.id);
  }

  #forget(run: Run): void {
    this.#wakes.set(run, undefined);
    this.#unknown.delete(run);
    if (this.#runs.get(run.facts.id) === run) this.#runs.delete(run.facts.id);
  }

  #tell(id: string): void {
    for (const tell of this.#listeners.get(id) ?? []) tell();
  }

  /** `first` is done with it before its first turn. */
  async #take(claim: Claim, first = (_run: Run): void => {}): Promise<void> {
    const run = await this.read(claim.tenant, claim.execution);
    if (!run) {
      this.#onError(
        `cannot go on with "${claim.execution}": it is open, and the log has nothing of it`,
        undefined,
      );
      return;
    }
    this.failpoint("execution-claimed");
    if (!this.isMoving) return this.store.release([claim]);
    // Nobody else had it, and this process not any more: it slept through its lease.
    const before = this.#runs.get(claim.execution);
    if (before) this.fenced(before);
    run.own(claim);
    first(run);
    this.#hold(run);
  }
}

const stopping = (): PlaneError =>
  new PlaneError("conflict", "cannot go on: the runtime is stopping; ask again once it is back");

/** What its first record says, which is always that the intent has come. */
function factsOf({ tenant, type, session = "", payload, timeMs }: LogRecord, id: string): Facts {
  if (type !== "intent_received") throw new Error(`internal: the log of "${id}" begins with ${type}`);
  const received = payload as { type: string; definition: string; payload: Json };
  return {
    tenant,
    id,
    type: received.type,
    session,
    definition: received.definition,
    payload: received.payload,
    createdAtMs: timeMs,
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
