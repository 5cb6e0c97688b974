// A launcher whose outcomes the test decides: it records what it was asked for and reports what it is told to.
import type { Launcher, LaunchOutcome } from "../../src/ports/launcher.ts";

export interface ScriptedLauncher extends Launcher {
  /** `launch 1`, `stop 1`, `kill 1`, in order; the number is the incarnation. */
  readonly calls: readonly string[];
  /** Reports an outcome of the latest incarnation. */
  report(outcome: LaunchOutcome): void;
}

/** `obliging` (default): reports `launched` at once and `exited` with 0 when asked to stop. */
export function scriptedLauncher({ obliging = true }: { obliging?: boolean } = {}): ScriptedLauncher {
  const calls: string[] = [];
  let latest: (outcome: LaunchOutcome) => void = () => {};
  return {
    calls,
    report: (outcome) => latest(outcome),
    launch(incarnation, report) {
      latest = report;
      calls.push(`launch ${incarnation}`);
      if (obliging) report({ type: "launched" });
      return {
        stop() {
          calls.push(`stop ${incarnation}`);
          if (obliging) report({ type: "exited", code: 0, signal: null });
        },
        kill() {
          calls.push(`kill ${incarnation}`);
          report({ type: "exited", code: null, signal: "SIGKILL" });
        },
      };
    },
  };
}
