// A probe that passes once the service has written a certain line, and stays passed until the service starts anew. It reads no
// stream itself: lines are shown to it as they come.
import type { Probe, ProbeResult } from "../ports/probe.ts";

export interface LogProbe extends Probe {
  /** Shows it one line of either stream. */
  observe(line: string): void;
  /** It has seen the line: what is shown to it now makes no difference. */
  readonly passed: boolean;
  /** A new incarnation has begun: what was seen counts no more. */
  reset(): void;
}

/** `text`: a line contains it. `pattern`: a line matches this regular expression. */
export function logProbe(wanted: { text: string } | { pattern: string }): LogProbe {
  const matches = matcher(wanted);
  const reason = `no line with ${JSON.stringify(Object.values(wanted)[0])} yet`;
  const waiting = new Set<() => void>();
  let passed = false;
  return {
    waits: true,
    get passed() {
      return passed;
    },
    observe(line) {
      if (passed || !matches(line)) return;
      passed = true;
      for (const pass of waiting) pass();
      waiting.clear();
    },
    reset() {
      passed = false;
    },
    check(signal) {
      if (passed) return Promise.resolve<ProbeResult>({ ok: true });
      return new Promise<ProbeResult>((resolve) => {
        const pass = (): void => resolve({ ok: true });
        const giveUp = (): void => {
          waiting.delete(pass);
          resolve({ ok: false, reason });
        };
        waiting.add(pass);
        if (signal.aborted) giveUp();
        else signal.addEventListener("abort", giveUp, { once: true });
      });
    },
  };
}

function matcher(wanted: { text: string } | { pattern: string }): (line: string) => boolean {
  if ("text" in wanted) return (line) => line.includes(wanted.text);
  const pattern = new RegExp(wanted.pattern);
  return (line) => pattern.test(line);
}
