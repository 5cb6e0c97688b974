// Whether a dependency holds. Pure; what follows from the answer is the fleet's business.
import type { Condition } from "../config/config.ts";
import type { ServiceState } from "./service-state.ts";

/** `lost`: it will not come to hold any more. */
export type Verdict = "met" | "waiting" | "lost";

/** Of a group with several replicas `ready` takes one, the other conditions take all. */
export function judgeGroup(
  condition: Condition,
  indexes: readonly number[],
  stateOf: (index: number) => ServiceState,
): Verdict {
  const enough: Verdict = condition === "ready" ? "met" : "lost";
  let last: Verdict | undefined;
  let isMixed = false;
  for (const index of indexes) {
    const verdict = judge(condition, stateOf(index));
    if (verdict === enough) return enough;
    isMixed ||= last !== undefined && verdict !== last;
    last = verdict;
  }
  return isMixed ? "waiting" : (last ?? "waiting");
}

function judge(condition: Condition, state: ServiceState): Verdict {
  switch (state.name) {
    case "pending":
    case "backoff":
    case "stopping":
      return "waiting";
    case "starting":
      return condition === "started" && state.launched ? "met" : "waiting";
    case "started":
    case "unready":
      return condition === "started" ? "met" : "waiting";
    case "ready":
      return condition === "completed" ? "waiting" : "met";
    case "completed":
      return "met";
    case "stopped":
      // Who holds it down may let it up again.
      return state.held ? "waiting" : "lost";
    case "failed":
    case "skipped":
      return "lost";
    default:
      return state satisfies never;
  }
}

/** What has become of a group that is lost, as the end of a sentence. */
export function fateOf(states: readonly ServiceState[]): string {
  const names = states.map(({ name }) => name);
  return names.includes("failed") ? "failed" : `was ${names[0]}`;
}
