// Waits until the probers know that this runtime wants no more requests: looks again at every question about readiness and
// when the next moment has come that could end the drain. When that is, core/drain.ts says.
import { Drain, type Prober } from "../core/drain.ts";
import type { Clock } from "../ports/clock.ts";
import type { Gate } from "../ports/gate.ts";

export interface DrainWait {
  /** Who is waited for. */
  readonly probers: readonly Prober[];
  /** Resolves when all of them know, or have gone. */
  readonly done: Promise<void>;
  /** Those that do not know yet. */
  unaware(): Prober[];
  /** Gives up waiting. */
  stop(): void;
}

/** From now on; readiness must be 503 already. */
export function waitForProbers(gate: Pick<Gate, "probers" | "onAsked">, clock: Clock): DrainWait {
  const probers = gate.probers();
  const drain = new Drain(probers, clock.now());
  let cancelTimer = () => {};
  let stopListening = () => {};
  const stop = () => {
    cancelTimer();
    stopListening();
  };
  const done = new Promise<void>((resolve) => {
    const look = () => {
      cancelTimer();
      const leftMs = drain.endMs() - clock.now();
      if (leftMs > 0) {
        cancelTimer = clock.after(leftMs, look);
      } else {
        stop();
        resolve();
      }
    };
    stopListening = gate.onAsked((source) => {
      drain.asked(source, clock.now());
      look();
    });
    look();
  });
  return { probers, done, unaware: () => drain.unaware(), stop };
}
