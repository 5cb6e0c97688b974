// When a probe is asked again and when its answers count. Starting at 10 ms and doubling, so that a service that comes up
// fast is seen fast, and at its interval once it has passed; one whose failures are counted at its interval from the start. Pure.

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
  /** The verdict that stands. Never assumed to be a pass before the first. */
  passing: boolean;
  last?: boolean;
  /** Answers in a row like the last one. */
  streak: number;
  /** How often it has been asked. */
  attempts: number;
}

const FIRST_DELAY_MS = 10;

export const UNASKED: ProbeProgress = { passing: false, streak: 0, attempts: 0 };

/** Takes one answer; a `certain` failure counts for as many as it takes. */
export function advance(
  progress: ProbeProgress,
  { ok, certain = false }: { ok: boolean; certain?: boolean },
  schedule: ProbeSchedule,
): ProbeProgress {
  const { failureThreshold } = schedule;
  const counted = progress.last === ok ? progress.streak + 1 : 1;
  const streak = !ok && certain ? Math.max(counted, failureThreshold) : counted;
  const enough = streak >= (ok ? schedule.successThreshold : failureThreshold);
  return { passing: enough ? ok : progress.passing, last: ok, streak, attempts: progress.attempts + 1 };
}

/** Milliseconds to wait before asking again. `isEager`: to see a first pass as soon as it is there. */
export function nextDelayMs(
  { passing, attempts }: ProbeProgress,
  { intervalMs, isEager }: Pick<ProbeSchedule, "intervalMs"> & { isEager: boolean },
): number {
  return passing || !isEager
    ? intervalMs
    : Math.min(FIRST_DELAY_MS * 2 ** Math.min(attempts - 1, 30), intervalMs);
}
