// A check of a service. How often it is asked, and how many answers count, is decided in core/probe-schedule.ts.

export type ProbeResult = { ok: true } | { ok: false; reason: string };

export interface Probe {
  /**
   * Asks once. Resolves, never rejects; an abort (timeout, service gone) resolves with `ok: false`. A probe that waits for
   * something to happen, as a log line, may stay pending until it does or until `signal` aborts.
   */
  check(signal: AbortSignal): Promise<ProbeResult>;
}
