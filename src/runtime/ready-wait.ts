// A wait until all services are ready: it ends at once when the runtime does, names whom it waited for when its time is over, and
// changes nothing.
import type { Snapshot } from "../core/snapshot.ts";
import { TimeoutError } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";

export interface ReadyWaitOptions {
  clock: Clock;
  timeoutMs: number;
  snapshot(): Snapshot;
  /** Has `check` called after every change, until the function that this returns is called. */
  watch(check: () => void): () => void;
}

export function waitUntilReady({ clock, timeoutMs, snapshot, watch }: ReadyWaitOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const check = () => {
      const { ready, state } = snapshot();
      if (ready) done(resolve);
      else if (state === "destroyed") fail("the runtime has ended");
    };
    const fail = (why: string) => {
      const { state, blockedBy } = snapshot();
      const names = blockedBy.map(({ service, reason }) => `${service} (${reason})`);
      const waitsFor = state === "uninitialized" ? "run, which has not been called" : names.join(", ");
      done(() => reject(new TimeoutError(`not all services are ready: ${why}; waiting for ${waitsFor}`)));
    };
    const done = (settle: () => void) => {
      cancel();
      unwatch();
      settle();
    };
    const cancel = clock.after(timeoutMs, () => fail(`${timeoutMs}ms have passed`));
    const unwatch = watch(check);
    check();
  });
}
