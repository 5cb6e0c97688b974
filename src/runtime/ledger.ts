// The shutdown ledger: runs the stages in order under one budget. What a stage leaves of its time goes to the next; what
// overruns is cut and named. It knows nothing of services: each stage says itself how it works and what it cuts.
import { type Stage, STAGES, stageMs } from "../core/budget.ts";
import type { Clock } from "../ports/clock.ts";

export interface StageWork {
  /** Resolves when the stage's work is done. Must not reject. `over` aborts when the stage is over, done or not. */
  run(over: AbortSignal): Promise<void>;
  /** Called when time is up: ends what is still going on. */
  cut?(): void;
  /** Asked when the stage is over: what did not end by itself, in words. */
  late(): readonly string[];
}

export interface StageReport {
  stage: Stage;
  tookMs: number;
  late: readonly string[];
}

export interface LedgerOptions {
  clock: Clock;
  budgetMs: number;
  drainMs: number;
  onStageEnded: (report: StageReport) => void;
  /** Aborts when the rest does not matter any more: the stage that runs is left as it is, and no other begins. */
  signal?: AbortSignal;
}

/** Resolves with one report a stage, in order, and whether the budget itself ran out. */
export async function runLedger(
  work: Readonly<Record<Stage, StageWork>>,
  { clock, budgetMs, drainMs, onStageEnded, signal }: LedgerOptions,
): Promise<{ stages: StageReport[]; overran: boolean }> {
  const endMs = clock.now() + budgetMs;
  const stages: StageReport[] = [];
  let overran = false;
  for (const stage of STAGES) {
    const startMs = clock.now();
    const limitMs = stage === "drain" ? drainMs : stageMs(stage, Math.max(0, endMs - startMs));
    const over = new AbortController();
    const inTime = await within(work[stage].run(over.signal), limitMs, { clock, ...(signal && { signal }) });
    over.abort();
    if (signal?.aborted) break;
    if (!inTime) work[stage].cut?.();
    // The services get all that is left, so their overrun is the budget's. The drain ends by the clock, which is no overrun.
    if (!inTime && (stage === "services" || stage === "shutdown-tasks")) overran = true;
    const report = { stage, tookMs: clock.now() - startMs, late: work[stage].late() };
    stages.push(report);
    onStageEnded(report);
  }
  return { stages, overran };
}

/** Whether `work` resolved before `limitMs` had passed, and before `signal` aborted. */
export async function within(
  work: Promise<void>,
  limitMs: number,
  { clock, signal }: { clock: Clock; signal?: AbortSignal },
): Promise<boolean> {
  let cancel = () => {};
  const timeUp = new Promise<false>((resolve) => {
    const giveUp = () => resolve(false);
    cancel = clock.after(limitMs, giveUp);
    signal?.addEventListener("abort", giveUp);
    if (signal?.aborted) giveUp();
  });
  const inTime = await Promise.race([work.then(() => true as const), timeUp]);
  cancel();
  return inTime;
}
