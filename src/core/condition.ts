// Whether a dependency holds. Pure; what follows from the answer is the fleet's business.
import type { Condition } from "../config/config.ts";
import type { ServiceState } from "./service-state.ts";

/** `lost`: it will not come to hold any more. */
export type Verdict = "met" | "waiting" | "lost";

export function judge(condition: Condition, state: ServiceState): Verdict {
  switch (state.name) {
    case "pending":
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
    case "failed":
    case "skipped":
      return "lost";
    default:
      return state satisfies never;
  }
}
