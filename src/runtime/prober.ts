// Asks one probe again and again and reports what that means. Never decides what follows: that is the fleet's business.
import { advance, nextDelayMs, type ProbeSchedule, UNASKED } from "../core/probe-schedule.ts";
import type { Clock } from "../ports/clock.ts";
import type { Probe } from "../ports/probe.ts";

export interface WatchedProbe {
  probe: Probe;
  schedule: ProbeSchedule;
}

export interface WatchOptions {
  clock: Clock;
  onPassed: () => void;
  /**
   * Called for every failing answer while the verdict is not a pass, so that the reason stays fresh; with
   * `failsOnlyAtThreshold`, once so many have failed in a row, whether it ever passed or not. Such a probe is asked at its
   * interval from the start: asked sooner, it would be over with a service that only takes its time.
   */
  onFailed: (reason: string) => void;
  failsOnlyAtThreshold?: boolean;
}

/** Starts asking at once; returns a function that ends it. */
export function watchProbe(
  { probe, schedule }: WatchedProbe,
  { clock, onPassed, onFailed, failsOnlyAtThreshold = false }: WatchOptions,
): () => void {
  const isEager = !failsOnlyAtThreshold;
  let progress = UNASKED;
  let cancelTimer = () => {};
  let stopped = false;
  const asking = new AbortController();

  const ask = async () => {
    const attempt = new AbortController();
    const abort = () => attempt.abort();
    asking.signal.addEventListener("abort", abort);
    cancelTimer = probe.waits ? () => {} : clock.after(schedule.timeoutMs, abort);
    const result = await probe.check(attempt.signal);
    cancelTimer();
    asking.signal.removeEventListener("abort", abort);
    if (stopped) return;
    const before = progress;
    progress = advance(progress, result, schedule);
    if (progress.passing && !before.passing) onPassed();
    const counts = !failsOnlyAtThreshold || progress.streak >= schedule.failureThreshold;
    if (!progress.passing && !result.ok && counts) {
      onFailed(attempt.signal.aborted ? `no answer within ${schedule.timeoutMs}ms` : result.reason);
    }
    if (!stopped && !probe.onChange && !(probe.waits && progress.passing)) {
      cancelTimer = clock.after(nextDelayMs(progress, { ...schedule, isEager }), () => void ask());
    }
  };

  const unlisten = probe.onChange?.(() => void ask());
  void ask();
  return () => {
    stopped = true;
    unlisten?.();
    cancelTimer();
    asking.abort();
  };
}
