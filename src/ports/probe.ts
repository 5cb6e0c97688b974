// A check of a service. How often it is asked, and how many answers count, is decided in core/probe-schedule.ts.

export type ProbeResult = { ok: true } | { ok: false; reason: string };

export interface Probe {
  /** It waits for something that happens once, as a line in the log: asked once, without a timeout, until it passes. */
  readonly waits?: true;
  /**
   * Asks once. Resolves, never rejects; an abort (timeout, service gone) resolves with `ok: false`.
   */
  check(signal: AbortSignal): Promise<ProbeResult>;
}
