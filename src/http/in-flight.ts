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
  /** The answer is an event stream, which is not awaited while it is open. */
  streams(): void;
  /** The answer has left. */
  leave(): void;
}

export interface InFlight {
  enter(arrival: Arrival): Visit;
  count(): number;
  /** Resolves when the count is 0; once `signal` has aborted nobody looks any more. */
  whenEmpty(signal: AbortSignal): Promise<void>;
  /** The count may have fallen for a reason of its own. */
  look(): void;
  names(): string[];
}

/** How often to look whether a server that only counts has sent the last byte. */
const SENT_POLL_MS = 5;
const NAMES_MAX = 5;

interface Inside {
  arrival: Arrival;
  sinceMs: number;
  streams: boolean;
}

/** `openStreams`: how many event streams are not to be waited for. */
export function createInFlight(clock: Pick<Clock, "now" | "after">, openStreams: () => number): InFlight {
  const inside = new Set<Inside>();
  /** Servers that count; theirs are inside only until the answer is made. */
  const servers = new Set<CountingServer>();
  let uncounted = 0;
  let look = () => {};

  function count(): number {
    let sum = uncounted;
    for (const server of servers) sum += server.pendingRequests;
    return Math.max(0, sum - openStreams());
  }

  function whenEmpty(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      let cancel = () => {};
      const stop = () => {
        cancel();
        look = () => {};
      };
      const check = () => {
        cancel();
        if (count() === 0) {
          stop();
          resolve();
        } else if (inside.size === 0) {
          // Only bytes are on their way, of which such a server does not tell.
          cancel = clock.after(SENT_POLL_MS, check);
        }
      };
      look = () => {
        cancel();
        // A server that counts is handed the answer only after this.
        if (servers.size === 0) check();
        else cancel = clock.after(0, check);
      };
      signal.addEventListener("abort", stop, { once: true });
      check();
    });
  }

  return {
    enter(arrival) {
      const one: Inside = { arrival, sinceMs: clock.now(), streams: false };
      const server = countingServer(arrival.env);
      inside.add(one);
      if (server === undefined) uncounted += 1;
      else servers.add(server);
      const leave = () => {
        if (!inside.delete(one)) return;
        if (server === undefined) uncounted -= 1;
        look();
      };
      const told = server !== undefined || whenSent(arrival.env, leave);
      return {
        told,
        leave,
        answered: () => void (server !== undefined && leave()),
        streams: () => void (one.streams = true),
      };
    },
    count,
    whenEmpty,
    look: () => look(),
    names() {
      const requests = [...inside].filter(({ streams }) => !streams);
      const names = requests.slice(0, NAMES_MAX).map(({ arrival: { req }, sinceMs }) => {
        return `${req.method} ${req.path} (${((clock.now() - sinceMs) / 1000).toFixed(1)}s)`;
      });
      const rest = count() - names.length;
      if (rest <= 0) return names;
      return names.length > 0 ? [...names, `${rest} more`] : [`${rest} unread ${rest === 1 ? "answer" : "answers"}`];
    },
  };
}
