// The one way in which sessions and state are written: read, decide, and commit the record together with the entries that follow from
// it, on the condition that nothing has changed since; otherwise from the start. What follows from a record is the fold's to say.
import { changesOf } from "../core/plane-fold.ts";
import type { PlaneEvent } from "../core/plane-event.ts";
import { keyOf } from "../core/key.ts";
import { PlaneError } from "../errors.ts";
import type { Commit, CommitResult, Entry, NewRecord, Store } from "../ports/store.ts";
import { headOf } from "../ports/store-head.ts";
import { Lanes } from "./lanes.ts";
import { newId } from "./token.ts";

export interface Present {
  /** What is there. */
  entry: Entry | undefined;
  /** What was read beside it, in the order asked for. */
  others: readonly (Entry | undefined)[];
  /** By the store's clock; 0 unless asked for. */
  timeMs: number;
  /** The version that it gets by being written. */
  version: number;
}

/** What is to happen; `put` and `remove` are what does not follow from the event. */
export interface Decision extends Pick<Commit, "put" | "remove"> {
  event: PlaneEvent;
}

export interface UpdateOptions {
  tenant: string;
  key: string;
  /** Whether `decide` needs the time. */
  timed?: boolean;
  others?: readonly string[];
  /** May be called again with what has come in between; throws to refuse. */
  decide: (present: Present) => Decision;
}

/** What was decided on, and when it was written. */
export interface Updated {
  before: Entry | undefined;
  after: Entry | undefined;
  timeMs: number;
}

export class Writer {
  readonly store: Store;
  readonly #onExpiry: (delayMs: number) => void;
  readonly #lanes = new Lanes();
  /** Where versions of keys that never were begin, for tenants of whom so much was removed that it is not 0. */
  readonly #newVersions = new Map<string, number>();

  /** `onExpiry` hears in how many milliseconds something that was written expires. */
  constructor(store: Store, onExpiry: (delayMs: number) => void) {
    this.store = store;
    this.#onExpiry = onExpiry;
  }

  /** By the store's clock. */
  async time(tenant: string): Promise<number> {
    return (await headOf(this.store, tenant)).timeMs;
  }

  /** The sequence number of the last record that is there by now. */
  async lastSeq(tenant: string): Promise<number> {
    return (await headOf(this.store, tenant)).lastSeq;
  }

  /** A key that has never been. */
  async create(options: Omit<UpdateOptions, "others">): Promise<Updated> {
    const timeMs = options.timed ? await this.time(options.tenant) : 0;
    for (;;) {
      const last = this.#newVersions.get(options.tenant) ?? 0;
      const decision = options.decide({ entry: undefined, others: [], timeMs, version: last + 1 });
      const outcome = await this.#commit(options, decision, { entry: undefined, last });
      if (!("last" in outcome)) return outcome;
      this.#newVersions.set(options.tenant, outcome.last ?? last);
    }
  }

  async update(options: UpdateOptions): Promise<Updated> {
    return this.#lanes.run(`${keyOf(options.tenant)}/${options.key}`, () => this.#update(options));
  }

  async #update({ others: otherKeys = [], timed, ...options }: UpdateOptions): Promise<Updated> {
    const { tenant, key, decide } = options;
    for (let lastOfAbsent = 0; ;) {
      const [[entry, ...others], timeMs] = await Promise.all([
        this.store.get(tenant, [key, ...otherKeys]),
        timed ? this.time(tenant) : 0,
      ]);
      const last = entry?.version ?? lastOfAbsent;
      const decision = decide({ entry, others, timeMs, version: last + 1 });
      const outcome = await this.#commit(options, decision, { entry, last });
      if (!("last" in outcome)) return outcome;
      lastOfAbsent = outcome.last ?? 0;
    }
  }

  /** `last`: somebody was faster, and from which version it goes on. */
  async #commit(
    { tenant, key }: Pick<UpdateOptions, "tenant" | "key">,
    { event, put = [], remove = [] }: Decision,
    { entry, last }: { entry: Entry | undefined; last: number },
  ): Promise<Updated | { last: number | undefined }> {
    const changes = changesOf(event, (asked) => (asked === key ? entry?.value : undefined));
    // What is put beside the entry is new with it, under the version that the event says.
    const beside = changes.put.filter((other) => other.key !== key);
    const result = await this.store.commit(tenant, {
      expect: [
        { key, version: entry?.version ?? 0, last },
        ...beside.map((other) => ({ key: other.key, version: 0, last: other.version - 1 })),
      ],
      append: [recordOf(event)],
      put: [...changes.put.map(withoutVersion), ...put],
      remove: [...changes.remove, ...remove],
    });
    if (!result.ok) return { last: result.reason === "conflict" ? result.last : undefined };
    this.#tellExpiry([...changes.put, ...put], result);
    const after = changes.put.find((written) => written.key === key);
    return { before: entry, after, timeMs: result.timeMs };
  }

  #tellExpiry(put: readonly { expiresAtMs?: number }[], { timeMs }: CommitResult & { ok: true }): void {
    const firstMs = Math.min(...put.map(({ expiresAtMs = Infinity }) => expiresAtMs));
    if (firstMs !== Infinity) this.#onExpiry(firstMs - timeMs);
  }
}

/** The version is the store's to give; the expectations have made sure which one it is. */
function withoutVersion({ key, value, expiresAtMs }: Entry): Omit<Entry, "version"> {
  return { key, value, ...(expiresAtMs !== undefined && { expiresAtMs }) };
}

export function recordOf(event: PlaneEvent): NewRecord {
  return { id: newId("event"), ...event };
}

/** Throws `stale` when the version that was said is not the one that is there; 0: there is none. */
export function refuseStale(doing: string, entry: Entry | undefined, ifVersion: number | undefined): void {
  const version = entry?.version ?? 0;
  if (ifVersion === undefined || ifVersion === version) return;
  const there = version === 0 ? "there is none" : `its version is ${version}`;
  throw new PlaneError("stale", `cannot ${doing}: ${there}, not ${ifVersion}; read it again`);
}
