// What the replicas that share a store tell each other through it, three times a lease: that they are there, what each can carry out, and
// how much it has. From that each decides for itself what it leaves to others, and what nobody knows and it has to look after. It holds no
// execution itself.
import { keyOf } from "../core/key.ts";
import { lackOf, type ReplicaNews, surplusOf } from "../core/replica-load.ts";
import { messageOf, StoreError } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";
import { type CommitResult, type Store, SYSTEM_TENANT } from "../ports/store.ts";
import { type Head, headOf } from "../ports/store-head.ts";

const PREFIX = "replica/";
const REPLICAS_AT_ONCE = 1000;
const NEWS_A_LEASE = 3;

export interface ReplicasOptions {
  store: Store;
  clock: Clock;
  leaseMs: number;
  /** Nobody else's. */
  name: string;
  own: () => ReplicaNews;
  /** Leaves so many to those who have these definitions. */
  leave: (surplus: { count: number; takers: ReadonlySet<string> }) => void;
  /** What is parked here for want of one of these definitions goes to who has it. */
  giveWay: (known: ReadonlySet<string>) => void;
  /** Looks after what is nobody's and needs none of these definitions. */
  adopt: (known: ReadonlySet<string>) => Promise<void>;
  /** Others have left something: takes so many. */
  take: (most: number) => void;
  /** It will be tried again. */
  onError: (message: string, error: unknown) => void;
}

export class Replicas {
  readonly #options: ReplicasOptions;
  readonly #key: string;
  #others: readonly ReplicaNews[] = [];
  /** By how much the store's time is ahead of the clock. */
  #aheadMs: number | undefined;
  #told: Promise<void> = Promise.resolve();
  #isOver = false;
  #cancel = (): void => {};
  #unwatch = (): void => {};

  constructor(options: ReplicasOptions) {
    this.#options = options;
    this.#key = keyOf("replica", options.name);
  }

  /** Whether another one is up and carries out what it can. */
  get someoneRuns(): boolean {
    return this.#others.some(({ starting }) => !starting);
  }

  /** Resolves when it knows the others. */
  async start(): Promise<void> {
    const { store, take, own } = this.#options;
    this.#unwatch = store.watch(SYSTEM_TENANT, () => {
      const most = lackOf(own(), this.#others);
      if (most > 0) take(most);
    });
    await this.#tell();
    this.#others = await this.#read();
    this.#lookLater();
  }

  /** It tells at once what has changed. */
  tell(): void {
    this.#tell().catch((error: unknown) => this.#failed(error));
  }

  /** Nobody counts on this one any more. */
  async end(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#cancel();
    this.#unwatch();
    await this.#told.catch(() => {});
    // It expires in any case.
    await this.#options.store.commit(SYSTEM_TENANT, { remove: [this.#key] }).catch(() => {});
  }

  #lookLater(): void {
    if (this.#isOver) return;
    const { clock, leaseMs } = this.#options;
    this.#cancel = clock.after(leaseMs / NEWS_A_LEASE, () => {
      this.#look()
        .catch((error: unknown) => this.#failed(error))
        .finally(() => this.#lookLater());
    });
  }

  async #look(): Promise<void> {
    const { own, leave, giveWay, adopt } = this.#options;
    await this.#tell();
    const others = await this.#read();
    if (this.#isOver) return;
    this.#others = others;
    const all = own();
    const running = others.filter(({ starting }) => !starting);
    giveWay(new Set(running.flatMap(({ definitions }) => definitions)));
    const surplus = surplusOf(all, others);
    // What is left just now is for the others.
    if (surplus.count > 0) return leave(surplus);
    // Who is not up yet may know it.
    if ([all, ...others].some(({ starting }) => starting)) return;
    await adopt(new Set([all, ...running].flatMap(({ definitions }) => definitions)));
  }

  /** One after the other: the last one says how it is. */
  #tell(): Promise<void> {
    return (this.#told = this.#told.catch(() => {}).then(() => this.#tellNow()));
  }

  async #tellNow(): Promise<void> {
    const { store, clock, leaseMs, own } = this.#options;
    if (this.#isOver) return;
    if (this.#aheadMs === undefined) this.#hear(await headOf(store, SYSTEM_TENANT));
    const expiresAtMs = Math.ceil(clock.now() + (this.#aheadMs ?? 0) + leaseMs);
    const value = { ...own() };
    this.#hear(await store.commit(SYSTEM_TENANT, { put: [{ key: this.#key, value, expiresAtMs }] }));
  }

  #hear(result: CommitResult | Head): void {
    if ("timeMs" in result) this.#aheadMs = result.timeMs - this.#options.clock.now();
  }

  async #read(): Promise<ReplicaNews[]> {
    const query = { prefix: PREFIX, limit: REPLICAS_AT_ONCE };
    const { items } = await this.#options.store.scan(SYSTEM_TENANT, query);
    return items.flatMap(({ key, value }) => (key === this.#key ? [] : [value as unknown as ReplicaNews]));
  }

  #failed(error: unknown): void {
    // The store tells of its own troubles.
    if (this.#isOver || error instanceof StoreError) return;
    this.#options.onError(`cannot hear of the other replicas: ${messageOf(error)}`, error);
  }
}
