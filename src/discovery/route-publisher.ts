// Tells Traefik of this runtime's routes by way of Redis: when something has changed, and again with every heartbeat, so that what was
// lost there comes back, a Redis that was away is heard again, and what the dead have left is taken out.
//
//   look() ─▶ [ other than told? ] ─▶ one exchange after the other ─▶ told
//   every heartbeat ─▶ exchange            └─▶ fails: complained of once, tried again with the next heartbeat
import { keyChange, type Published } from "../core/traefik-keys.ts";
import { messageOf } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";
import type { RouteKeys } from "../ports/routing.ts";

/** Out of the time of the last stage of a shutdown. */
const CLOSE_MS = 500;

export interface RoutePublisherOptions {
  keys: RouteKeys;
  clock: Pick<Clock, "after">;
  ttlMs: number;
  heartbeatMs: number;
  /** What there is to tell right now. */
  published: () => Published;
  /** Told when Redis cannot be told any more, and, with `undefined`, when it can again. */
  onTrouble: (reason: string | undefined) => void;
}

export class RoutePublisher {
  readonly #options: RoutePublisherOptions;
  #last: Promise<void> = Promise.resolve();
  /** What Redis was told last, as text; `undefined` where nobody knows. */
  #told: string | undefined;
  #isQueued = false;
  #isLooking = false;
  #isLeaving = false;
  #inTrouble = false;
  #stopTimer = () => {};

  constructor(options: RoutePublisherOptions) {
    this.#options = options;
  }

  /** From now on; before, nothing is told. */
  start(): void {
    const beat = () => {
      void this.#exchange();
      this.#stopTimer = this.#options.clock.after(this.#options.heartbeatMs, beat);
    };
    beat();
  }

  /** Something may have changed; it is looked at once all that happens now has happened. */
  look(): void {
    if (this.#isLooking) return;
    this.#isLooking = true;
    queueMicrotask(() => {
      this.#isLooking = false;
      if (textOf(this.#wanted()) !== this.#told) void this.#exchange();
    });
  }

  /** Takes everything back, for good; resolves when Redis knows, or cannot be told. */
  async leave(): Promise<void> {
    if (!this.#isLeaving) {
      this.#isLeaving = true;
      this.#stopTimer();
      void this.#exchange();
    }
    await this.#last;
  }

  /** Leaves, and lets go of Redis. One that does not answer is not waited for: what is left there expires. */
  async close(): Promise<void> {
    const { clock, keys } = this.#options;
    let cancel = () => {};
    const patience = new Promise<void>((resolve) => (cancel = clock.after(CLOSE_MS, resolve)));
    await Promise.race([this.leave(), patience]);
    cancel();
    await keys.close();
  }

  #wanted(): Published {
    const published = this.#options.published();
    return this.#isLeaving ? { ...published, servers: [] } : published;
  }

  /** One after the other; what is wanted is seen when its turn has come, so that one is enough for all that wait. */
  #exchange(): Promise<void> {
    if (this.#isQueued) return this.#last;
    this.#isQueued = true;
    this.#last = this.#last.then(async () => {
      this.#isQueued = false;
      const wanted = this.#wanted();
      const text = textOf(wanted);
      const { keys, ttlMs, onTrouble } = this.#options;
      // Until it is known better, so that nobody asks for the same again.
      this.#told = text;
      try {
        await keys.exchange((book, nowMs) => keyChange(book, wanted, { nowMs, ttlMs }));
        if (this.#inTrouble) onTrouble(undefined);
        this.#inTrouble = false;
      } catch (error) {
        if (!this.#inTrouble) onTrouble(messageOf(error));
        this.#inTrouble = true;
      }
    });
    return this.#last;
  }
}

function textOf({ routes, servers }: Published): string {
  return JSON.stringify([routes, servers]);
}
