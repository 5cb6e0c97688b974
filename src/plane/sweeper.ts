// Removes what has expired, with its record where it has one. Nothing depends on it to be out of sight: that, the store sees to. It
// has a timer only while something is going to expire, and never asks for the time itself.
//
//        start ──▶ [ sweep: a batch, a turn for others, a batch … ] ──▶ something will expire ─▶ timer ─▶ sweep
//                        ▲                                          └─▶ nothing will ─▶ until a write says so (expectIn)
import type { PlaneEvent, SessionValue } from "../core/plane-event.ts";
import { partsOf } from "../core/key.ts";
import { changesOf, tokenKey } from "../core/plane-fold.ts";
import type { Clock } from "../ports/clock.ts";
import type { Entry, Store } from "../ports/store.ts";
import { nextTurn } from "./turn.ts";
import { recordOf } from "./writer.ts";

const BATCH = 64;
/** So that what expires at nearly the same time goes together. */
const PAUSE_MS = 250;
const AFTER_FAILURE_MS = 5_000;

export interface SweeperOptions {
  store: Store;
  clock: Clock;
  /** Told each time that it could not; it tries again in a while. */
  onFailed: (error: unknown) => void;
}

export class Sweeper {
  readonly #options: SweeperOptions;
  #state: "new" | "started" | "stopped" = "new";
  #timer: { atMs: number; cancel: () => void } | undefined;
  #sweeping: Promise<void> | undefined;

  constructor(options: SweeperOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#state !== "new") return;
    this.#state = "started";
    this.#sweep();
  }

  /** Resolves when nothing of it is under way any more. */
  async stop(): Promise<void> {
    this.#state = "stopped";
    this.#timer?.cancel();
    this.#timer = undefined;
    await this.#sweeping;
  }

  /** Something expires after so many milliseconds. */
  expectIn(delayMs: number): void {
    if (this.#state !== "started") return;
    const { clock } = this.#options;
    const waitMs = Math.max(delayMs, PAUSE_MS);
    const atMs = clock.now() + waitMs;
    if (this.#timer && this.#timer.atMs <= atMs) return;
    this.#timer?.cancel();
    const run = (): void => {
      this.#timer = undefined;
      // One that is under way looks for itself how long until the next.
      if (!this.#sweeping) this.#sweep();
    };
    this.#timer = { atMs, cancel: clock.after(waitMs, run) };
  }

  #sweep(): void {
    this.#sweeping = this.#removeAll()
      .then((nextMs) => {
        this.#sweeping = undefined;
        if (nextMs !== undefined) this.expectIn(nextMs);
      })
      .catch((error: unknown) => {
        this.#sweeping = undefined;
        this.expectIn(AFTER_FAILURE_MS);
        if (this.#state === "started") this.#options.onFailed(error);
      });
  }

  /** How long until there is something to remove again. */
  async #removeAll(): Promise<number | undefined> {
    const { store } = this.#options;
    for (;;) {
      const batch = await store.expired(BATCH);
      if (this.#state === "stopped") return undefined;
      await Promise.all(batch.map(({ tenant, entry }) => this.#remove(tenant, entry)));
      if (batch.length < BATCH) return store.expiresInMs();
      await nextTurn();
    }
  }

  /** Unless it has been written again: then it is no longer the version that was found. */
  async #remove(tenant: string, entry: Entry): Promise<void> {
    const { key, value, version } = entry;
    const event = expiryOf(entry);
    const remove = event ? [...changesOf(event, () => value).remove, ...besideOf(event)] : [key];
    await this.#options.store.commit(tenant, {
      expect: [{ key, version, expired: true }],
      append: event ? [recordOf(event)] : [],
      remove,
    });
  }
}

/** What the log is to say of it; nothing for what it never spoke of. */
function expiryOf({ key, version, value }: Entry): PlaneEvent | undefined {
  const [kind, first = "", second = ""] = partsOf(key);
  if (kind === "session") {
    const { user } = value as SessionValue;
    return { type: "session_expired", session: first, payload: { version, user } };
  }
  if (kind !== "state") return undefined;
  return { type: "state_expired", payload: { namespace: first, key: second, version } };
}

const besideOf = (event: PlaneEvent): readonly string[] =>
  event.type === "session_expired" ? [tokenKey(event.session)] : [];
