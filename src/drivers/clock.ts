// Time from the runtime's own timers. It needs nothing but web standards, so the edge uses it too, and never fires early
// because a delay was too long for `setTimeout`.
import type { Clock } from "../ports/clock.ts";

/** The longest delay `setTimeout` takes; a longer one would fire at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export function systemClock(): Clock {
  return { now: () => performance.now(), wallTime: () => Date.now(), after };
}

function after(delayMs: number, run: () => void): () => void {
  if (delayMs <= TIMER_MS_MAX) {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  }
  let cancel = after(TIMER_MS_MAX, () => {
    cancel = after(delayMs - TIMER_MS_MAX, run);
  });
  return () => cancel();
}
