// Tells whoever waits for an execution that there may be news of it: from this process, which says so itself, and of one that runs
// elsewhere from the log. All that wait in one tenant share one reading of what is appended there. It looks into no record.
import type { Store } from "../ports/store.ts";
import { headOf } from "../ports/store-head.ts";

const RECORDS_AT_ONCE = 1000;

export class News {
  readonly #store: Store;
  readonly #listeners = new Map<string, Set<() => void>>();
  readonly #tails = new Map<string, Tail>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** Calls `hear` when it has settled here. Returns a function that ends it. */
  onSettled(execution: string, hear: () => void): () => void {
    return listen(this.#listeners, execution, hear);
  }

  /** Calls `hear` when something of it was appended, and once when from then on nothing is missed. Returns a function that ends it. */
  onAppended({ tenant, execution }: { tenant: string; execution: string }, hear: () => void): () => void {
    const tail = this.#tails.get(tenant) ?? new Tail(this.#store, tenant);
    this.#tails.set(tenant, tail);
    const unlisten = tail.listen(execution, hear);
    return () => {
      unlisten();
      if (!tail.isIdle) return;
      tail.close();
      if (this.#tails.get(tenant) === tail) this.#tails.delete(tenant);
    };
  }

  settled(execution: string): void {
    for (const hear of this.#listeners.get(execution) ?? []) hear();
  }

  /** Nothing moves any more. */
  over(): void {
    for (const hear of [...this.#listeners.values()].flatMap((all) => [...all])) hear();
  }
}

/** What is appended to one tenant's log, from the moment on in which somebody wanted to know. */
class Tail {
  readonly close: () => void;
  readonly #store: Store;
  readonly #tenant: string;
  readonly #listeners = new Map<string, Set<() => void>>();
  /** Everything up to there was told of; `undefined`: nobody knows yet where it begins. */
  #seq: number | undefined;
  #isDue = false;
  #isReading = false;

  constructor(store: Store, tenant: string) {
    this.#store = store;
    this.#tenant = tenant;
    this.close = store.watch(tenant, () => this.#read());
    this.#read();
  }

  get isIdle(): boolean {
    return this.#listeners.size === 0;
  }

  listen(execution: string, hear: () => void): () => void {
    return listen(this.#listeners, execution, hear);
  }

  #read(): void {
    this.#isDue = true;
    if (this.#isReading) return;
    this.#isReading = true;
    // Whoever waits looks for himself, and finds what the store says.
    this.#readAll()
      .catch(() => this.#tell([...this.#listeners.keys()]))
      .finally(() => (this.#isReading = false));
  }

  async #readAll(): Promise<void> {
    while (this.#isDue && !this.isIdle) {
      this.#isDue = false;
      if (this.#seq === undefined) {
        this.#seq = (await headOf(this.#store, this.#tenant)).lastSeq;
        this.#tell([...this.#listeners.keys()]);
        continue;
      }
      const records = await this.#store.log(this.#tenant, { after: this.#seq, limit: RECORDS_AT_ONCE });
      this.#seq = records.at(-1)?.seq ?? this.#seq;
      this.#isDue ||= records.length === RECORDS_AT_ONCE;
      this.#tell(new Set(records.flatMap(({ execution }) => execution ?? [])));
    }
  }

  #tell(executions: Iterable<string>): void {
    for (const execution of executions) for (const hear of this.#listeners.get(execution) ?? []) hear();
  }
}

function listen(all: Map<string, Set<() => void>>, name: string, hear: () => void): () => void {
  const listeners = all.get(name) ?? new Set();
  // Of its own, so that one function may listen twice.
  const listener = (): void => hear();
  all.set(name, listeners.add(listener));
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0 && all.get(name) === listeners) all.delete(name);
  };
}
