// Time at the edge, where a timer belongs to the request that set it and may end with it: what has become due is caught up with when
// the next request comes, and what has not is set again for that one. Elsewhere it is a clock like any other, but that it keeps no
// process alive.
import type { Clock } from "../ports/clock.ts";

export interface EdgeClock extends Clock {
  /** To be called whenever a request comes. */
  catchUp(): void;
}

/** The longest delay `setTimeout` takes. Whatever is further away is set again by then. */
const TIMER_MS_MAX = 2 ** 31 - 1;

interface Timer {
  atMs: number;
  run: () => void;
  handle?: ReturnType<typeof setTimeout>;
}

/** `system` tells the time. */
export function edgeClock(system: Pick<Clock, "now" | "wallTime">): EdgeClock {
  const timers = new Set<Timer>();
  const arm = (timer: Timer): void => {
    clearTimeout(timer.handle);
    const delayMs = Math.max(0, timer.atMs - system.now());
    timer.handle = setTimeout(() => fire(timer), Math.min(delayMs, TIMER_MS_MAX));
    // It is the server that keeps a process alive, where there is one.
    (timer.handle as { unref?(): void }).unref?.();
  };
  const fire = (timer: Timer): void => {
    if (!timers.has(timer)) return;
    if (timer.atMs > system.now()) return arm(timer);
    timers.delete(timer);
    timer.run();
  };
  return {
    now: () => system.now(),
    wallTime: () => system.wallTime(),
    after(delayMs, run) {
      const timer: Timer = { atMs: system.now() + delayMs, run };
      timers.add(timer);
      arm(timer);
      return () => {
        timers.delete(timer);
        clearTimeout(timer.handle);
      };
    },
    catchUp() {
      for (const timer of [...timers].toSorted((a, b) => a.atMs - b.atMs)) fire(timer);
    },
  };
}
