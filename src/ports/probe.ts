// A check of a service, and what a service says of itself. How often a check is asked, and how many answers count, is decided in
// core/probe-schedule.ts.

export type ProbeResult =
  | { ok: true }
  /** `certain`: the service has said so itself, and no second failure is waited for. */
  | { ok: false; reason: string; certain?: true };

export interface Probe {
  /**
   * It waits for something that happens once, as a line in the log: asked without a timeout until it passes, and not again. Read
   * anew each time, as a probe may wait for the first pass only.
   */
  readonly waits?: boolean;
  /**
   * Calls `ask` whenever the answer may be another one: then it is asked again, and at no other time. Returns a function that ends it.
   */
  onChange?(ask: () => void): () => void;
  /**
   * Asks once. Resolves, never rejects; an abort (timeout, service gone) resolves with `ok: false`.
   */
  check(signal: AbortSignal): Promise<ProbeResult>;
}

/** What a service says of itself, on its notification descriptor or by sd_notify. */
export type Notice =
  | { type: "ready" }
  | { type: "reloading" }
  | { type: "stopping" }
  | { type: "status"; text: string }
  /** A sign of life, for a watchdog. */
  | { type: "alive" }
  /** It wants the watchdog to act. */
  | { type: "trigger" }
  /** It cannot say that it is ready, and why: it never will in this incarnation. */
  | { type: "mute"; reason: string };
