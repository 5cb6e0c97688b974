// Lets go of what is older than the retention. Of the log only the beginning goes, and never what an execution that is still open goes by;
// what it comes to is kept as the base of what follows (core/plane-base.ts). Ended executions and keys go by their own expiry.
//
//   every hour, each tenant:  [ fold a piece of what is old into the base · a turn for others ]… ─▶ trim the log through the base
import { BASE, baseAfter, keysNeededBy, throughSeqOf } from "../core/plane-base.ts";
import { executionOf, OPEN } from "../core/claims.ts";
import type { Clock } from "../ports/clock.ts";
import type { LogRecord, Store } from "../ports/store.ts";
import { headOf } from "../ports/store-head.ts";
import { createdMsOf } from "./ids.ts";
import { nextTurn } from "./turn.ts";

const LOOK_EVERY_MS = 3_600_000;
const RECORDS_AT_ONCE = 256;
const OPEN_AT_ONCE = 1_000;
/** The clocks of those who submit may differ by this from the store's. */
const SKEW_MS = 3_600_000;

export interface RetentionOptions {
  store: Store;
  clock: Clock;
  /** `Infinity`: everything is kept. */
  keepMs: number;
  /** It has looked, and does so again in an hour. */
  onLooked: () => void;
  /** Told each time that it could not; it tries again in a while. */
  onFailed: (error: unknown) => void;
}

export class Retention {
  readonly #options: RetentionOptions;
  #isStopped = false;
  #cancel = (): void => {};
  #looking: Promise<void> = Promise.resolve();

  constructor(options: RetentionOptions) {
    this.#options = options;
  }

  start(): void {
    const { clock, keepMs, onLooked, onFailed } = this.#options;
    if (keepMs === Infinity || this.#isStopped) return;
    this.#looking = this.look()
      .then(onLooked)
      .catch((error: unknown) => {
        if (!this.#isStopped) onFailed(error);
      })
      .finally(() => {
        if (!this.#isStopped) this.#cancel = clock.after(LOOK_EVERY_MS, () => this.start());
      });
  }

  /** Resolves when nothing of it is under way any more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancel();
    await this.#looking;
  }

  /** Lets go of what is old by now, of all tenants. */
  async look(): Promise<void> {
    for (const { tenant } of await this.#options.store.tenants()) {
      if (this.#isStopped) return;
      await this.#trim(tenant);
      await nextTurn();
    }
  }

  async #trim(tenant: string): Promise<void> {
    const { store, keepMs } = this.#options;
    const beforeMs = (await headOf(store, tenant)).timeMs - keepMs;
    const [first] = await store.log(tenant, { after: 0, limit: 1 });
    if (!first || first.timeMs >= beforeMs) return;
    const neededSeq = await this.#firstNeeded(tenant, beforeMs);
    const isOld = ({ seq, timeMs }: LogRecord): boolean => timeMs < beforeMs && seq < neededSeq;
    while (!this.#isStopped && (await this.#foldPiece(tenant, isOld))) await nextTurn();
    const [base] = await store.get(tenant, [BASE]);
    // Also what an earlier look had folded, and then did not come to trim.
    if (base) await store.trim(tenant, { throughSeq: throughSeqOf(base) });
  }

  /** False when there is nothing more to fold, or somebody else does it. */
  async #foldPiece(tenant: string, isOld: (record: LogRecord) => boolean): Promise<boolean> {
    const { store } = this.#options;
    const [base] = await store.get(tenant, [BASE]);
    const found = await store.log(tenant, { after: throughSeqOf(base), limit: RECORDS_AT_ONCE });
    const end = found.findIndex((record) => !isOld(record));
    const records = end < 0 ? found : found.slice(0, end);
    const last = records.at(-1);
    if (!last) return false;
    const { put, remove } = baseAfter(records, await store.get(tenant, keysNeededBy(records)));
    const result = await store.commit(tenant, {
      expect: [{ key: BASE, version: base?.version ?? 0 }],
      put: [...put, { key: BASE, value: { throughSeq: last.seq } }],
      remove,
    });
    return result.ok && records.length === RECORDS_AT_ONCE;
  }

  /** The first record of all that is open. Executions are named by when they were made. */
  async #firstNeeded(tenant: string, beforeMs: number): Promise<number> {
    const { store } = this.#options;
    let neededSeq = Infinity;
    for (let after = ""; ;) {
      const { items, cursor } = await store.scan(tenant, { prefix: OPEN, after, limit: OPEN_AT_ONCE });
      for (const { key } of items) {
        const execution = executionOf(key);
        if (createdMsOf(execution) > beforeMs + SKEW_MS) return neededSeq;
        const [first] = await store.log(tenant, { after: 0, limit: 1, execution });
        neededSeq = Math.min(neededSeq, first?.seq ?? Infinity);
      }
      if (cursor === undefined) return neededSeq;
      after = cursor;
      await nextTurn();
    }
  }
}
