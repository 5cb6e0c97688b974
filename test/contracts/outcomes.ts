// Launches one incarnation and keeps what its launcher reports, so that tests await outcomes instead of time.
import type { Launcher, LaunchOutcome, Running } from "../../src/ports/launcher.ts";

export interface Recorded {
  running: Running;
  /** All that was reported so far. */
  outcomes: LaunchOutcome[];
  /** Resolves with the first outcome. */
  first: Promise<LaunchOutcome>;
  /** Resolves with the final outcome. */
  end: Promise<LaunchOutcome>;
}

export function record(launcher: Launcher, incarnation = 1): Recorded {
  const outcomes: LaunchOutcome[] = [];
  const first = Promise.withResolvers<LaunchOutcome>();
  const end = Promise.withResolvers<LaunchOutcome>();
  const running = launcher.launch(incarnation, (outcome) => {
    outcomes.push(outcome);
    first.resolve(outcome);
    if (outcome.type !== "launched") end.resolve(outcome);
  });
  return { running, outcomes, first: first.promise, end: end.promise };
}
