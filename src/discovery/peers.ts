// What the others have told through the store, kept here so that a call need not ask first. It is read again at each hint that it
// has changed; what expires is out of it by the clock, also when the store cannot be asked. Begins with the first question.
import type { Clock } from "../ports/clock.ts";
import type { RegistryEntry } from "../ports/registry.ts";
import { type Entry, SYSTEM_TENANT } from "../ports/store.ts";
import { headOf } from "../ports/store-head.ts";
import { entryOf, PREFIX } from "./entry.ts";
import { inTurn } from "./in-turn.ts";
import type { SharedOptions } from "./publication.ts";

const PAGE = 1_000;

export interface PeersOptions extends Pick<SharedOptions, "store" | "heartbeatMs"> {
  clock: Pick<Clock, "now" | "after">;
  /** There are others, or others than before. */
  onChanged: () => void;
}

interface Known {
  entry: RegistryEntry;
  /** On our clock; rather too early than too late. */
  untilMs: number;
}

export class Peers {
  readonly #options: PeersOptions;
  #known: readonly Known[] = [];
  #text = "";
  #isLoaded = false;
  #unwatch: (() => void) | undefined;
  /** Who wants to know of every change, also of what only expires. */
  #watchers = 0;
  #stopTimer: (() => void) | undefined;
  /** Asks the store; resolves when what it says is in force. */
  readonly refresh = inTurn(() => this.#read());

  constructor(options: PeersOptions) {
    this.#options = options;
  }

  /** Those that were heard of and are not too old. */
  entries(): RegistryEntry[] {
    const nowMs = this.#options.clock.now();
    return this.#known.filter(({ untilMs }) => untilMs > nowMs).map(({ entry }) => entry);
  }

  /** Resolves when the store has been asked once. */
  async loaded(): Promise<void> {
    if (!this.#isLoaded) await this.refresh();
  }

  /** Until the function that is returned is called, what expires is noticed. */
  attend(): () => void {
    this.#watchers++;
    this.#lookLater();
    return () => {
      if (--this.#watchers === 0) this.#stopTimer?.();
    };
  }

  close(): void {
    this.#unwatch?.();
    this.#stopTimer?.();
  }

  async #read(): Promise<void> {
    const { store, clock } = this.#options;
    // Before it is read, so that nothing falls between.
    this.#unwatch ??= store.watch(SYSTEM_TENANT, () => void this.refresh().catch(() => {}));
    const sentMs = clock.now();
    try {
      const [{ timeMs }, entries] = await Promise.all([headOf(store, SYSTEM_TENANT), this.#scan()]);
      this.#use(entries.flatMap((entry) => knownOf(entry, timeMs - sentMs)));
      this.#isLoaded = true;
    } finally {
      this.#lookLater();
    }
  }

  async #scan(): Promise<Entry[]> {
    const found: Entry[] = [];
    for (let after = ""; ;) {
      const page = await this.#options.store.scan(SYSTEM_TENANT, { prefix: PREFIX, after, limit: PAGE });
      found.push(...page.items);
      if (page.cursor === undefined) return found;
      after = page.cursor;
    }
  }

  #use(known: readonly Known[]): void {
    this.#known = known;
    const text = JSON.stringify(known.map(({ entry }) => entry));
    if (text === this.#text) return;
    this.#text = text;
    this.#options.onChanged();
  }

  /** When the first of them expires; where nothing is known, after a while. */
  #lookLater(): void {
    this.#stopTimer?.();
    if (this.#watchers === 0) return;
    const { clock, heartbeatMs } = this.#options;
    const nowMs = clock.now();
    const nextMs = Math.min(...this.#known.map(({ untilMs }) => untilMs).filter((atMs) => atMs > nowMs));
    const waitMs = nextMs === Infinity ? heartbeatMs : nextMs - nowMs;
    this.#stopTimer = clock.after(waitMs, () => {
      if (this.#watchers > 0) void this.refresh().catch(() => this.#options.onChanged());
    });
  }
}

function knownOf({ value, expiresAtMs = Infinity }: Entry, aheadMs: number): Known[] {
  const entry = entryOf(value);
  return entry ? [{ entry, untilMs: expiresAtMs - aheadMs }] : [];
}
