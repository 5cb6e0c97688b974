// How a shutdown's time is shared out: one budget, handed from stage to stage; what a stage leaves goes to the next. Pure.
import { type DrainContext, PUBLISHED_MS } from "./drain.ts";

/** In the order they run. */
export const STAGES = ["drain", "in-flight", "tasks", "services", "shutdown-tasks"] as const;
export type Stage = (typeof STAGES)[number];

export interface BudgetContext {
  /** Kubernetes removes endpoints without asking the probe, and gives 30 s by default. */
  kubernetes: boolean;
  /** By what routes are published, if they are. */
  publisher?: DrainContext["publisher"];
}

/**
 * The whole shutdown in milliseconds. `auto`: Kubernetes' 30 s, else 10 s, minus a tenth to be done before the killer comes; and never so
 * little that half of it is not enough for those to hear of it who are told of routes.
 */
export function budgetMs(setting: number | "auto", { kubernetes, publisher }: BudgetContext): number {
  if (setting !== "auto") return setting;
  const usualMs = (kubernetes ? 30_000 : 10_000) * 0.9;
  return Math.max(usualMs, publisher ? 2 * PUBLISHED_MS[publisher] : 0);
}

/** How long a stage may take when `remainingMs` of the budget are left. */
export function stageMs(stage: Exclude<Stage, "drain">, remainingMs: number): number {
  switch (stage) {
    case "in-flight":
    case "tasks":
      return remainingMs / 2;
    case "services":
      return remainingMs - Math.min(1_000, remainingMs / 10);
    case "shutdown-tasks":
      return remainingMs;
    default:
      return stage satisfies never;
  }
}
