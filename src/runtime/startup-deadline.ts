// How long a startup may take. What it waits for from outside, a store on another machine, is not its own time: when the deadline
// finds that it is not there yet, the time begins anew once it is. It ends nothing itself.
import type { Clock } from "../ports/clock.ts";

export interface StartupDeadlineOptions {
  clock: Clock;
  /** `Infinity`: as long as it takes. */
  timeoutMs: number;
  /** What nobody here can hurry is not there yet. */
  isHeldUp: () => boolean;
  /** Has `check` called whenever that may have changed, until the function that it returns is called. */
  watch: (check: () => void) => () => void;
  expire: () => void;
}

/** Returns a function that calls it off. */
export function startupDeadline(options: StartupDeadlineOptions): () => void {
  const { clock, timeoutMs, isHeldUp, watch, expire } = options;
  if (timeoutMs === Infinity) return () => {};
  let cancel: () => void;
  function begin(): void {
    cancel = clock.after(timeoutMs, () => (isHeldUp() ? wait() : expire()));
  }
  function wait(): void {
    const unwatch = watch(() => {
      if (isHeldUp()) return;
      unwatch();
      begin();
    });
    cancel = unwatch;
  }
  begin();
  return () => cancel();
}
