// The exit code a run should end with, worked out from what really happened and CONTRACT section 2 alone. Asks the runtime for
// nothing but its report, which it is compared with.
import { constants } from "node:os";
import { budgetMs } from "../../src/core/budget.ts";
import type { ShutdownReport } from "../../src/runtime/shutdown.ts";
import type { Account, Auditor } from "./auditor.ts";
import type { Scenario } from "./scenario.ts";

export interface Facts {
  audit: Auditor;
  scenario: Scenario;
  /** Signals that were given before the end, with the moment. */
  signals: readonly { signal: NodeJS.Signals; atMs: number }[];
  /** A reload has forgotten how services ended before it. */
  hasReloaded: boolean;
  names: readonly string[];
}

/** Why the report is wrong; nothing when it is right. */
export function judgeReport({ exitCode, forced }: ShutdownReport, facts: Facts): string | undefined {
  const { audit, signals, scenario } = facts;
  const { began } = audit;
  if (!began) return "it has ended, and the end never began";
  const [first] = signals;
  const second = signals.find(({ atMs }) => first !== undefined && atMs - first.atMs > 100);
  if (forced !== (second !== undefined))
    return `forced is ${forced}, and there was ${second ? "a" : "no"} second signal`;
  if (second) return same(exitCode, [codeOf(null, second.signal)], `forced by ${second.signal}`);
  // The port closes after that.
  const endedAtMs = audit.stagesEndedAtMs ?? Infinity;
  const budget = budgetMs(scenario.budgetMs, scenario);
  // The services get all but a tenth, at most a second, so that what follows has some time, too.
  const couldOverrun = endedAtMs - began.atMs >= budget - Math.min(1_000, budget / 10) - 1e-6;
  if (exitCode === 124) return couldOverrun ? undefined : "124, and the budget has not run out";
  if (audit.servicesLeft || endedAtMs - began.atMs > budget + 1e-6)
    return `${exitCode}, and the budget has run out`;
  const cause = causeCode(facts);
  const allowed = [cause];
  const { exitCodeFrom } = scenario;
  const own = exitCodeFrom === undefined ? undefined : audit.account(exitCodeFrom).lastExit;
  const isBlamed = exitCodeFrom !== undefined && began.service === exitCodeFrom;
  if (own && (cause === 0 || isBlamed || facts.hasReloaded)) {
    if (!facts.hasReloaded) allowed.length = 0;
    allowed.push(codeOf(own.code, own.signal) || cause);
  } else if (
    cause === 0 &&
    facts.names.some((name) => (audit.account(name).failedAtMs ?? -1) >= began.atMs)
  ) {
    allowed[0] = 1;
  }
  return same(exitCode, allowed, "by its cause");
}

/** What began the end stands for. */
function causeCode({ audit, signals }: Facts): number {
  const { began } = audit;
  if (!began) return 0;
  if (began.blamed) return blameCode(began.blamed);
  const [first] = signals;
  const isCancelled = began.state === "starting" || began.state === "uninitialized";
  return first?.atMs === began.atMs && isCancelled ? codeOf(null, first.signal) : 0;
}

/** A start that never was is 1, and so is what the runtime itself ended; otherwise it is the service's own. */
function blameCode({ everUp, state, before, exit }: Account): number {
  if (!everUp || state === "stopping" || state === "skipped" || before === "stopping") return 1;
  if (exit?.type !== "exited") return 1;
  const code = codeOf(exit.code, exit.signal);
  return state === "failed" || before === "starting" ? code || 1 : code;
}

function codeOf(code: number | null, signal: string | null): number {
  return code ?? 128 + (constants.signals[signal as NodeJS.Signals] ?? 0);
}

function same(actual: number, allowed: readonly number[], why: string): string | undefined {
  return allowed.includes(actual) ? undefined : `${actual}, and ${why} it is ${allowed.join(" or ")}`;
}
