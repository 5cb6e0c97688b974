// What all live tails of one tenant share: one watch of its log, and the read that several want at the same moment. It filters
// nothing and remembers no record.
import { keyOf } from "../core/key.ts";
import { BASE, throughSeqOf } from "../core/plane-base.ts";
import { PlaneError } from "../errors.ts";
import type { LogRecord, Store } from "../ports/store.ts";
import { HELPING } from "./page.ts";
import { Wake } from "./wake.ts";

/** Where in the log, and of which execution only. */
export interface LogPosition {
  /** Absent: from the first record that is kept. */
  after?: number | undefined;
  execution?: string | undefined;
}

export class LogHubs {
  readonly #store: Store;
  readonly #hubs = new Map<string, Hub>();

  constructor(store: Store) {
    this.#store = store;
  }

  /**
   * Records of the tenant behind `after`, a helping each time, and none twice; when there are none, waits until there may be. Ends
   * when `signal` aborts, and rejects when the store is lost, or with `compacted` when what comes next is not kept any more.
   */
  async *follow(tenant: string, { signal, ...from }: LogPosition & { signal: AbortSignal }) {
    const hub = this.#hubs.get(tenant) ?? new Hub(this.#store, tenant);
    this.#hubs.set(tenant, hub);
    const wake = new Wake();
    hub.wakes.add(wake);
    signal.addEventListener("abort", wake.set);
    try {
      let after = from.after ?? (await keptFrom(this.#store, tenant));
      while (!signal.aborted) {
        // Before the read: what comes while it is read wakes the wait behind it.
        wake.clear();
        const records = await hub.read({ ...from, after });
        await refuseCompacted(this.#store, { tenant, after });
        for (const record of records) {
          if (signal.aborted) return;
          after = record.seq;
          yield record;
        }
        if (records.length === 0) await wake.wait();
      }
    } finally {
      signal.removeEventListener("abort", wake.set);
      hub.wakes.delete(wake);
      if (hub.wakes.size === 0) {
        hub.close();
        if (this.#hubs.get(tenant) === hub) this.#hubs.delete(tenant);
      }
    }
  }
}

/** What can be read from behind it on has no gap. */
export async function keptFrom(store: Store, tenant: string): Promise<number> {
  const [base] = await store.get(tenant, [BASE]);
  return throughSeqOf(base);
}

/** Asked after reading: what is let go of meanwhile is missed, too. */
export async function refuseCompacted(
  store: Store,
  { tenant, after }: { tenant: string; after: number },
): Promise<void> {
  const first = await keptFrom(store, tenant);
  if (after >= first) return;
  throw new PlaneError(
    "compacted",
    `cannot read the log from behind ${after}: it is compacted, and kept from behind ${first} on; read what it speaks of anew`,
  );
}

class Hub {
  readonly wakes = new Set<Wake>();
  readonly close: () => void;
  readonly #store: Store;
  readonly #tenant: string;
  /** Reads under way that were begun after the last hint: only they see everything that was hinted at. */
  #reads = new Map<string, Promise<readonly LogRecord[]>>();

  constructor(store: Store, tenant: string) {
    this.#store = store;
    this.#tenant = tenant;
    this.close = store.watch(tenant, () => {
      this.#reads = new Map();
      for (const wake of this.wakes) wake.set();
    });
  }

  read({ after, execution }: LogPosition & { after: number }): Promise<readonly LogRecord[]> {
    const reads = this.#reads;
    const name = execution === undefined ? String(after) : keyOf(String(after), execution);
    const underWay = reads.get(name);
    if (underWay) return underWay;
    const query = { after, limit: HELPING, ...(execution !== undefined && { execution }) };
    const read = this.#store.log(this.#tenant, query).finally(() => reads.delete(name));
    reads.set(name, read);
    return read;
  }
}
