// What this runtime tells the others through a store they share: its entries, prolonged by a heartbeat before they expire. A store
// that is lost stops nothing: the next heartbeat says everything again, and so does the one after it.
//
//   tell() ─▶ [ what is new or gone since ] ─▶ one commit ─▶ told
//   every heartbeat ─▶ [ everything, expiring later ] ──▲        └─▶ fails: whoever asked is told, the heartbeat goes on
import { messageOf } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";
import type { RegistryEntry } from "../ports/registry.ts";
import { type Store, SYSTEM_TENANT } from "../ports/store.ts";
import { headOf } from "../ports/store-head.ts";
import { keyOfEntry, valueOf } from "./entry.ts";
import { inTurn } from "./in-turn.ts";

export interface SharedOptions {
  store: Pick<Store, "commit" | "scan" | "watch">;
  /** An entry of which nothing is heard for so long is gone. */
  ttlMs: number;
  /** How often this runtime says that its own are still there. */
  heartbeatMs: number;
  /** Told when it cannot tell the others any more, and, with `undefined`, when it can again. */
  onTrouble: (reason: string | undefined) => void;
}

export interface PublicationOptions extends SharedOptions {
  clock: Pick<Clock, "now" | "after">;
  /** What is to be told. */
  own: () => Iterable<RegistryEntry>;
}

export class Publication {
  readonly #options: PublicationOptions;
  /** What the store may have of it, by key; `undefined` where nobody knows what exactly. */
  readonly #told = new Map<string, RegistryEntry | undefined>();
  /** What the store's clock is ahead of ours, or rather less than more. */
  #aheadMs: number | undefined;
  #everything = false;
  #stopBeating: (() => void) | undefined;
  #closed = false;
  #trouble: string | undefined;
  readonly #send = inTurn(() => this.#sendNow());

  constructor(options: PublicationOptions) {
    this.#options = options;
  }

  /** Why the others cannot be told at present. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Tells what has changed. */
  tell(): Promise<void> {
    return this.#send();
  }

  /** Tells everything, which is there for another while then. */
  heartbeat(): Promise<void> {
    this.#everything = true;
    return this.#send();
  }

  /** Says no more; what was told and not taken back expires. */
  close(): void {
    this.#closed = true;
    this.#stopBeating?.();
  }

  async #sendNow(): Promise<void> {
    if (this.#closed) return;
    const { own, store, ttlMs, clock } = this.#options;
    const everything = this.#everything;
    this.#everything = false;
    const entries = new Map([...own()].map((entry) => [keyOfEntry(entry), entry] as const));
    const put = [...entries].filter(([key, entry]) => everything || this.#told.get(key) !== entry);
    const remove = [...this.#told.keys()].filter((key) => !entries.has(key));
    if (put.length + remove.length === 0) return;
    // Whatever comes of it, it may be there.
    for (const [key] of put) this.#told.set(key, undefined);
    this.#beatLater();
    try {
      const expiresAtMs = (await this.#storeTimeMs()) + ttlMs;
      const result = await store.commit(SYSTEM_TENANT, {
        put: put.map(([key, entry]) => ({ key, value: valueOf(entry), expiresAtMs })),
        remove,
      });
      if (!result.ok) throw new Error(`internal: an entry of the registry was refused: ${result.reason}`);
      this.#aheadMs = result.timeMs - clock.now();
    } catch (error) {
      this.#note(messageOf(error));
      throw error;
    }
    for (const [key, entry] of put) this.#told.set(key, entry);
    for (const key of remove) this.#told.delete(key);
    this.#note(undefined);
  }

  /** Never behind what it will be when the commit is made. */
  async #storeTimeMs(): Promise<number> {
    const { store, clock } = this.#options;
    this.#aheadMs ??= (await headOf(store, SYSTEM_TENANT)).timeMs - clock.now();
    return clock.now() + this.#aheadMs;
  }

  #beatLater(): void {
    if (this.#stopBeating || this.#closed) return;
    this.#stopBeating = this.#options.clock.after(this.#options.heartbeatMs, () => {
      this.#stopBeating = undefined;
      if (this.#told.size === 0) return;
      this.#beatLater();
      this.heartbeat().catch(() => {});
    });
  }

  #note(reason: string | undefined): void {
    const isNews = (reason === undefined) !== (this.#trouble === undefined);
    this.#trouble = reason;
    if (isNews) this.#options.onTrouble(reason);
  }
}
