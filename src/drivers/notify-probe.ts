// Probes of what a service says of itself: that it is ready, and that it lives. They read no descriptor and no socket: notices
// are shown to them as they come.
import type { Notice, Probe, ProbeResult } from "../ports/probe.ts";
import type { NotificationSink } from "../ports/spawn.ts";

export interface NotifyProbe extends Probe {
  /** Shows it one notice. */
  hear(notice: Notice): void;
  /** A new incarnation has begun: what was said counts no more. */
  reset(): void;
}

/**
 * Passes once the service has said that it is ready, and fails from when it says that it is stopping. `once`: readiness is all it
 * can say, so nobody need ask again.
 */
export function notifyProbe({ once }: { once: boolean }): NotifyProbe {
  const waiting = new Set<() => void>();
  let verdict: ProbeResult | undefined;
  let status = "";
  const settle = (result: ProbeResult): void => {
    verdict = result;
    for (const wake of waiting) wake();
    waiting.clear();
  };
  const answer = (): ProbeResult => {
    const says = status === "" ? "" : `; its status is "${status}"`;
    return verdict ?? { ok: false, reason: `it has not said that it is ready${says}` };
  };
  return {
    get waits() {
      return once || verdict === undefined;
    },
    hear(notice) {
      if (notice.type === "status") status = notice.text;
      if (notice.type === "ready") settle({ ok: true });
      if (notice.type === "stopping")
        settle({ ok: false, reason: "it says that it is stopping", certain: true });
      if (notice.type === "mute" && !verdict?.ok) settle({ ok: false, reason: notice.reason });
    },
    reset() {
      verdict = undefined;
      status = "";
    },
    check(signal) {
      if (verdict !== undefined || signal.aborted) return Promise.resolve(answer());
      return new Promise((resolve) => {
        const wake = (): void => {
          signal.removeEventListener("abort", giveUp);
          resolve(answer());
        };
        const giveUp = (): void => {
          waiting.delete(wake);
          wake();
        };
        waiting.add(wake);
        signal.addEventListener("abort", giveUp);
      });
    },
  };
}

export interface WatchdogOptions {
  periodMs: number;
  /** Milliseconds on any scale. Default: the system's monotonic one. */
  now?: () => number;
}

/** Passes while the last sign of life is no older than `periodMs`; the launch and readiness are signs as well. */
export function watchdogProbe({ periodMs, now = () => performance.now() }: WatchdogOptions): NotifyProbe {
  let seenMs = now();
  let broken: ProbeResult | undefined;
  const answer = (): ProbeResult => {
    if (broken !== undefined) return broken;
    const silentMs = Math.round(now() - seenMs);
    if (silentMs <= periodMs) return { ok: true };
    return { ok: false, reason: `no WATCHDOG=1 for ${silentMs}ms, expected every ${periodMs}ms` };
  };
  return {
    hear(notice) {
      if (notice.type === "alive" || notice.type === "ready") seenMs = now();
      if (notice.type === "trigger")
        broken = { ok: false, reason: "it asked for a restart (WATCHDOG=trigger)", certain: true };
      if (notice.type === "mute") broken = { ok: false, reason: notice.reason };
    },
    reset() {
      seenMs = now();
      broken = undefined;
    },
    check: (signal) =>
      Promise.resolve<ProbeResult>(signal.aborted ? { ok: false, reason: "not asked in time" } : answer()),
  };
}

const NEWLINE = 10;

/** What s6 asks of a service: a newline on its notification descriptor once it is ready. Whatever stands before it is ignored. */
export function newlineSink(tell: (notice: Notice) => void): NotificationSink {
  let over = false;
  return {
    write(chunk) {
      if (over || !chunk.includes(NEWLINE)) return over;
      over = true;
      tell({ type: "ready" });
      return true;
    },
    end() {
      if (over) return;
      over = true;
      tell({ type: "mute", reason: "closed its notification descriptor without saying ready" });
    },
  };
}
