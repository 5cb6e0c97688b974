// The chain of reasons behind a service that is not ready, as a tree: each service once, where it is first met. Pure.
import type { StateName } from "../core/service-state.ts";
import type { ServiceView } from "../http/control-views.ts";
import { inWords } from "./duration.ts";
import { endOf, plain } from "./status-table.ts";

export interface Explanation {
  service: string;
  state: StateName;
  since: string;
  reason?: string;
  /** How its last incarnation ended, if it does not run. */
  lastExit?: NonNullable<ServiceView["lastExit"]>;
  restarts: number;
  /** When a scheduled task is due next. */
  nextRun?: string;
  waitsFor: Explanation[];
}

export function isWell(state: StateName): boolean {
  return state === "ready" || state === "completed";
}

export function explanationOf(name: string, services: readonly ServiceView[]): Explanation {
  const byName = new Map(services.map((service) => [service.name, service]));
  const met = new Set<string>();

  function explain(service: ServiceView): Explanation {
    met.add(service.name);
    const { state, since, reason, lastExit, restarts, nextRun } = service;
    return {
      service: service.name,
      state,
      since,
      ...(reason !== undefined && { reason }),
      ...(lastExit && !isWell(state) && { lastExit }),
      restarts,
      ...(nextRun !== undefined && { nextRun }),
      waitsFor: isWell(state) ? [] : below(service).map(explain),
    };
  }

  /** What it waits for itself; what those wait for comes with them. */
  function below({ blockedBy, dependencies }: ServiceView): ServiceView[] {
    const blockers = blockedBy
      .map(({ service }) => service)
      .filter((each) => byName.has(each) && !met.has(each));
    const direct = blockers.filter((each) => dependencies.includes(each));
    const next = direct.length > 0 ? direct : blockers.slice(0, 1);
    for (const each of next) met.add(each);
    return next.flatMap((each) => byName.get(each) ?? []);
  }

  const service = byName.get(name);
  if (!service) throw new Error(`internal: no service '${name}'`);
  return explain(service);
}

/** One line each, what it waits for below it and to the right. */
export function tree(explanation: Explanation, nowMs: number): string[] {
  const below = explanation.waitsFor.flatMap((each, index) => {
    const isLast = index === explanation.waitsFor.length - 1;
    const [first = "", ...rest] = tree(each, nowMs);
    return [`${isLast ? "└─" : "├─"} ${first}`, ...rest.map((line) => `${isLast ? "  " : "│ "} ${line}`)];
  });
  return [lineOf(explanation, nowMs), ...below];
}

function lineOf(
  { service, state, since, reason, lastExit, restarts, waitsFor }: Explanation,
  nowMs: number,
): string {
  const facts = [`${service}: ${state} for ${inWords(nowMs - Date.parse(since))}`];
  if (reason !== undefined) facts.push(plain(reason));
  else if (waitsFor.length > 0) facts.push(`waits for ${waitsFor.map((each) => each.service).join(", ")}`);
  if (lastExit) facts.push(`ended last with ${endOf(lastExit)}`);
  if (restarts > 0) facts.push(`${restarts} restart${restarts === 1 ? "" : "s"}`);
  return facts.join("; ");
}
