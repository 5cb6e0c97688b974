// What whoever runs the container has to allow for: how long a start and a stop may take, added up from the one config. It finds
// the sums that do not fit, and how they would; what is done with the numbers is for who writes them down.
import type { Config } from "../config/config.ts";
import { budgetMs } from "./budget.ts";
import { type DrainContext, drainRule } from "./drain.ts";
import type { Plan } from "./plan.ts";
import { inWords } from "./restart.ts";

export interface DeploymentContext {
  /** Kubernetes takes a pod from its endpoints without asking the probe. */
  kubernetes: boolean;
  publisher: DrainContext["publisher"];
}

export interface DeploymentTimings {
  /** How long the whole start may take. */
  startMs: number;
  drainMs: number;
  budgetMs: number;
  /** How long the runtime is to be let alone after SIGTERM: the budget, and a tenth of it to be safe. */
  graceMs: number;
}

/** How long Traefik keeps a connection that nobody uses. */
const PROXY_IDLE_MS = 90_000;
/** The runtime keeps so much of the budget back for the last stage; see `stageMs`. */
const LAST_STAGE_MS = 1_000;

export function timingsOf(
  { startup, shutdown }: Pick<Config["runtime"], "startup" | "shutdown">,
  context: DeploymentContext,
): DeploymentTimings {
  const rule = drainRule(shutdown.drainMs, { ...context, attended: false });
  const budget = budgetMs(shutdown.budgetMs, context);
  return {
    startMs: startup.timeoutMs,
    drainMs: rule.until === "time" ? rule.waitMs : 0,
    budgetMs: budget,
    graceMs: Math.ceil(budget / 0.9 / 1_000) * 1_000,
  };
}

/** Every sum that does not fit, each with what would make it fit. */
export function timingProblems(
  { plan, http }: { plan: Plan; http: Config["http"] },
  { drainMs, budgetMs: budget }: DeploymentTimings,
): string[] {
  const problems: string[] = [];
  if (2 * drainMs > budget) {
    problems.push(
      `the drain is at most half of runtime.shutdown.budget: 2 × drain ${inWords(drainMs)} = ${inWords(2 * drainMs)}, and the budget is ${inWords(budget)}; set it to at least ${inWords(2 * drainMs)}`,
    );
  }
  const chain = longestStop(plan);
  const stopMs = sumOf(chain);
  const lastMs = Math.min(LAST_STAGE_MS, Math.max(0, budget - drainMs) / 10);
  if (drainMs + stopMs + lastMs > budget) {
    const parts = [
      ...(drainMs > 0 ? [`drain ${inWords(drainMs)}`] : []),
      ...chain.map(({ name, stopTimeoutMs }) => `${name} ${inWords(stopTimeoutMs)}`),
      `${inWords(LAST_STAGE_MS)} for shutdown tasks`,
    ];
    const sumMs = drainMs + stopMs + LAST_STAGE_MS;
    problems.push(
      `services that stop one after the other may take longer than runtime.shutdown.budget: ${parts.join(" + ")} = ${inWords(sumMs)}, and the budget is ${inWords(budget)}; set it to at least ${inWords(sumMs)}, or shorten a stopTimeout`,
    );
  }
  if (http && http.idleTimeoutMs <= PROXY_IDLE_MS) {
    problems.push(
      `http.idleTimeout ${inWords(http.idleTimeoutMs)} is not more than the ${inWords(PROXY_IDLE_MS)} for which Traefik keeps a connection that nobody uses: it would send a request into one that has just been closed; set it to 120s`,
    );
  }
  return problems;
}

interface Stopping {
  name: string;
  stopTimeoutMs: number;
}

/** Those that stop one after the other for the longest: through every phase, along dependencies. The first to stop comes first. */
function longestStop({ services, phases }: Plan): Stopping[] {
  return phases.toReversed().flatMap((phase) => {
    const inPhase = new Set(phase);
    const chains = new Map<number, Stopping[]>();
    const chainTo = (index: number): Stopping[] => {
      const known = chains.get(index);
      if (known) return known;
      const planned = services[index];
      if (!planned) return [];
      const after = planned.needs.filter((need) => inPhase.has(need)).map(chainTo);
      const { name, task, stopTimeoutMs } = planned.spec;
      // A task has ended by then.
      const own = task ? [] : [{ name, stopTimeoutMs }];
      const chain = [...own, ...longestOf(after)];
      chains.set(index, chain);
      return chain;
    };
    return longestOf(phase.map(chainTo));
  });
}

function longestOf(chains: readonly Stopping[][]): Stopping[] {
  return chains.reduce<Stopping[]>((longest, chain) => (sumOf(chain) > sumOf(longest) ? chain : longest), []);
}

function sumOf(chain: readonly Stopping[]): number {
  return chain.reduce((sum, { stopTimeoutMs }) => sum + stopTimeoutMs, 0);
}
