// When a probe is asked again and when its answers count. Starting at 10 ms and doubling, so that a service that comes up
// fast is seen fast; at its interval from the first pass on. Pure.

export interface ProbeSchedule {
  intervalMs: number;
  /** One answer may take this long. */
  timeoutMs: number;
  /** Failures in a row until it counts as failing. */
  failureThreshold: number;
  /** Passes in a row until it counts as passing. */
  successThreshold: number;
}

export interface ProbeProgress {
  /** The verdict that stands; `undefined` before the first. Never assumed to be a pass. */
  verdict?: "passed" | "failed";
  /** Answers in a row that say otherwise, or the same where there is no verdict. */
  streak: number;
  last?: boolean;
  /** How often it has been asked. */
  attempts: number;
}

const FIRST_DELAY_MS = 10;

export const firstProgress: ProbeProgress = { streak: 0, attempts: 0 };

/** `verdict` is set in the result exactly when it has changed or is a failure before the first pass. */
export function advance(
  progress: ProbeProgress,
  ok: boolean,
  schedule: ProbeSchedule,
): { progress: ProbeProgress; delayMs: number; changed: boolean } {
  const streak = progress.last === ok ? progress.streak + 1 : 1;
  const attempts = progress.attempts + 1;
  const enough = streak >= (ok ? schedule.successThreshold : schedule.failureThreshold);
  const verdict = enough ? (ok ? "passed" : "failed") : progress.verdict;
  const changed = verdict !== progress.verdict;
  const next: ProbeProgress = { streak, attempts, last: ok, ...(verdict && { verdict }) };
  const settled = verdict === "passed";
  const adaptiveMs = FIRST_DELAY_MS * 2 ** Math.min(attempts - 1, 30);
  return { progress: next, delayMs: settled ? schedule.intervalMs : Math.min(adaptiveMs, schedule.intervalMs), changed };
}
