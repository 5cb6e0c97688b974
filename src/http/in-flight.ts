// Counts the requests whose answer has not left yet: by itself, or by what the server says where that counts. It knows them by
// name, so that the late ones can be told; it holds nobody up and ends nothing.
import type { Context } from "hono";
import type { Clock } from "../ports/clock.ts";
import { type CountingServer, countingServer, whenSent } from "./connection.ts";

/** A request as Hono has it; `env` is what the server handed to `fetch`. */
export type Arrival = Pick<Context, "env" | "req">;

/** One request, from its arrival on. */
export interface Visit {
  /** The server tells when the answer has left; otherwise `leave` has to be called then. */
  readonly told: boolean;
  /** The answer is made. */
  answered(): void;
  /** The answer is an event stream, which is not awaited while it is open. Calls `abandon` when its client has gone. */
  streams(abandon: () => void): void;
  /** The answer has left. */
  leave(): void;
}

/** How often to look whether a server that only counts has sent the last byte. */
const SENT_POLL_MS = 5;
const NAMES_MAX = 5;

interface Inside {
  arrival: Arrival;
  sinceMs: number;
  /** Only for an event stream. */
  abandon?: () => void;
}

export class InFlight {
  readonly #clock: Pick<Clock, "now" | "after">;
  readonly #openStreams: () => number;
  readonly #inside = new Set<Inside>();
  /** Servers that count; their requests are inside only until the answer is made. */
  readonly #servers = new Set<CountingServer>();
  /** Those inside whose server does not count. */
  #uncounted = 0;
  #onFewer = () => {};

  /** `openStreams`: how many event streams are not to be waited for. */
  constructor(clock: Pick<Clock, "now" | "after">, openStreams: () => number) {
    this.#clock = clock;
    this.#openStreams = openStreams;
  }

  enter(arrival: Arrival): Visit {
    const one: Inside = { arrival, sinceMs: this.#clock.now() };
    const server = countingServer(arrival.env);
    this.#inside.add(one);
    if (server === undefined) this.#uncounted += 1;
    else this.#servers.add(server);
    const leave = () => {
      if (!this.#inside.delete(one)) return;
      if (server === undefined) {
        this.#uncounted -= 1;
        one.abandon?.();
      }
      this.#onFewer();
    };
    const told = server !== undefined || whenSent(arrival.env, leave);
    return {
      told,
      leave,
      answered: () => void (server !== undefined && leave()),
      streams: (abandon) => {
        one.abandon = abandon;
        // Its client went before it came.
        if (server === undefined && !this.#inside.has(one)) abandon();
      },
    };
  }

  count(): number {
    let sum = this.#uncounted;
    for (const server of this.#servers) sum += server.pendingRequests;
    return Math.max(0, sum - this.#openStreams());
  }

  /** The count may have fallen for a reason of its own. */
  look(): void {
    this.#onFewer();
  }

  /** Resolves when the count is 0; once `signal` has aborted nobody looks any more. */
  whenEmpty(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      let cancel = () => {};
      const stop = () => {
        cancel();
        this.#onFewer = () => {};
      };
      const check = () => {
        cancel();
        if (this.count() === 0) {
          stop();
          resolve();
        } else if (this.#inside.size === 0) {
          // Only bytes are on their way, of which such a server does not tell.
          cancel = this.#clock.after(SENT_POLL_MS, check);
        }
      };
      this.#onFewer = () => {
        cancel();
        // A server that counts is handed the answer only after this.
        if (this.#servers.size === 0) check();
        else cancel = this.#clock.after(0, check);
      };
      signal.addEventListener("abort", stop, { once: true });
      check();
    });
  }

  /** What is in flight, in words: the first few by name and age. */
  names(): string[] {
    const requests = [...this.#inside].filter(({ abandon }) => abandon === undefined);
    const names = requests.slice(0, NAMES_MAX).map(({ arrival: { req }, sinceMs }) => {
      return `${req.method} ${req.path} (${((this.#clock.now() - sinceMs) / 1000).toFixed(1)}s)`;
    });
    const rest = this.count() - names.length;
    if (rest <= 0) return names;
    if (names.length > 0) return [...names, `${rest} more`];
    return [`${rest} unread ${rest === 1 ? "answer" : "answers"}`];
  }
}
