// Whether a service that has ended is started again, and after how long. Exponential backoff with full jitter (Marc Brooker,
// "Exponential Backoff And Jitter", 2015), a limit per window, and a fresh start after a healthy spell. Pure.
import type { RestartConfig } from "../config/config.ts";

/** What is remembered of a service's restarts. */
export interface RestartHistory {
  /** Restarts in a row without a healthy spell between them. */
  inRow: number;
  /** When it was restarted, oldest first; only what still counts against the limit. */
  timesMs: readonly number[];
  /** All there ever were. */
  total: number;
}

export const NO_RESTARTS: RestartHistory = { inRow: 0, timesMs: [], total: 0 };

/** A clean slate: nothing counts against the limit. */
export function forgiven({ total }: RestartHistory): RestartHistory {
  return { ...NO_RESTARTS, total };
}

/** How an incarnation ended. */
export interface Ending {
  nowMs: number;
  /** Since when it had been up; absent: it never was. */
  upSinceMs?: number;
  /** From 0 up to, not including, 1. */
  random: number;
}

export type RestartVerdict =
  | { restart: true; delayMs: number; history: RestartHistory }
  /** The limit is used up; `reason` says which. */
  | { restart: false; reason: string };

/** Whether the policy wants it back at all; what the limit says is {@link nextRestart}'s business. */
export function wantsRestart({ policy }: RestartConfig, failed: boolean): boolean {
  return policy === "always" || (policy === "on-failure" && failed);
}

/** The first restart is immediate; the n-th after it waits a random part of `minMs · 2ⁿ⁻¹`, at most `maxMs`. */
export function nextRestart(config: RestartConfig, history: RestartHistory, ending: Ending): RestartVerdict {
  const { backoff, limit, resetAfterMs } = config;
  const { nowMs, upSinceMs, random } = ending;
  const timesMs = history.timesMs.filter((timeMs) => timeMs > nowMs - limit.windowMs);
  if (timesMs.length >= limit.count) {
    const times = limit.count === 1 ? "once" : `${limit.count} times`;
    return { restart: false, reason: `restarted ${times} within ${inWords(limit.windowMs)}` };
  }
  const isHealthy = upSinceMs !== undefined && nowMs - upSinceMs >= resetAfterMs;
  const inRow = isHealthy ? 0 : history.inRow;
  const ceilingMs = Math.min(backoff.maxMs, backoff.minMs * 2 ** Math.min(inRow - 1, 40));
  const delayMs = inRow === 0 ? 0 : Math.round(ceilingMs * random);
  const next = { inRow: inRow + 1, timesMs: [...timesMs, nowMs], total: history.total + 1 };
  return { restart: true, delayMs, history: next };
}

/** A span of time for a message. */
export function inWords(ms: number): string {
  return ms < 1000 ? `${ms}ms` : `${ms / 1000}s`;
}
