// Notices who asks readiness: the address behind each question, as far as the server knows it. It decides nothing; what makes
// a prober of a source, and what the drain owes it, is core/drain.ts.
import { type Prober, Probers } from "../core/drain.ts";
import type { Clock } from "../ports/clock.ts";
import { isLocal, peerOf } from "./connection.ts";

/**
 * Sent by `haraka health`: the image's own HEALTHCHECK routes no requests, so no drain waits for it. Believed only from this
 * machine, and only about the one request that carries it.
 */
export const HEALTHCHECK_HEADER = "haraka-healthcheck";

export interface ProberWatch {
  /** A request has asked readiness. `env` is what the server handed to `fetch`. */
  asked(request: Request, env: unknown): void;
  /** Who asks again and again as of now. */
  active(): Prober[];
  /** Calls `listener` with every source that asks from now on; returns a function that ends it. */
  onAsked(listener: (source: string) => void): () => void;
}

export function createProberWatch(clock: Pick<Clock, "now">): ProberWatch {
  const probers = new Probers();
  const listeners = new Set<(source: string) => void>();
  return {
    asked(request, env) {
      const source = peerOf(request, env);
      if (source === undefined) return;
      if (request.headers.has(HEALTHCHECK_HEADER) && isLocal(request, env)) return;
      probers.asked(source, clock.now());
      for (const listener of listeners) listener(source);
    },
    active: () => probers.active(clock.now()),
    onAsked(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
