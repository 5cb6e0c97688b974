// The door that shutdown closes: HTTP counts what is inside and notices who probes, the shutdown ledger tells it when to drain,
// when to refuse newcomers, and waits for the rest.
import type { Prober } from "../core/drain.ts";

export interface Gate {
  /**
   * From now on answers carry `Connection: close` and event streams end with a last event; requests are still served.
   */
  drain(): void;
  /** From now on a new request that is not for health gets 503 with `Connection: close`; WebSockets are told to go. */
  refuse(): void;
  /** Who asks readiness again and again as of now. Nobody who asks over a Unix socket, and no HEALTHCHECK. */
  probers(): readonly Prober[];
  /** Calls `listener` with every source that asks readiness from now on; returns a function that ends it. */
  onAsked(listener: (source: string) => void): () => void;
  /** Requests being served right now; health, event streams and WebSockets not counted. */
  inFlight(): number;
  /** Resolves when there are none; once `signal` has aborted nobody looks any more. */
  whenEmpty(signal: AbortSignal): Promise<void>;
  /** What is in flight, in words. */
  inside(): readonly string[];
  /** Stops listening and cuts what is left. */
  close(): Promise<void>;
}
