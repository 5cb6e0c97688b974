// What each stage of the shutdown does, in the order of the ledger: drain, in-flight requests, background tasks, services,
// shutdown tasks. The port stays open and health answers until the last stage is over.
import type { Stage } from "../core/budget.ts";
import { drainMs, type DrainRule } from "../core/drain.ts";
import type { RuntimeState } from "../core/snapshot.ts";
import type { Clock } from "../ports/clock.ts";
import type { Companion } from "../ports/companion.ts";
import type { Gate } from "../ports/gate.ts";
import type { NewRuntimeEvent } from "../ports/runtime-event.ts";
import { type BackgroundTasks, runTask, type ShutdownTask } from "./background.ts";
import { type DrainWait, waitForProbers } from "./drain-wait.ts";
import { runLedger, type StageReport, type StageWork, within } from "./ledger.ts";

export interface ShutdownReport {
  exitCode: number;
  /** What ended the runtime. */
  reason: string;
  /** The service that brought it about, if it was one. */
  service?: string;
  /** A second signal cut it short. */
  forced: boolean;
  stages: readonly StageReport[];
}

export interface ShutdownContext {
  clock: Clock;
  budgetMs: number;
  drain: DrainRule;
  gate?: Gate;
  companions: readonly Companion[];
  background: BackgroundTasks;
  shutdownTasks: readonly ShutdownTask[];
  enter: (state: RuntimeState) => void;
  /** Resolves when every service has stopped. */
  stopServices: () => Promise<void>;
  /** Kills what still runs. */
  killServices: () => void;
  /** Those that had to be killed, with how long that took to be clear. */
  lateServices: () => string[];
  emit: (event: NewRuntimeEvent) => void;
  /** Aborts when it is forced, and what is left of it does not matter any more. */
  signal: AbortSignal;
}

/** How long killed processes may take to be gone. */
const KILLED_MS = 250;
/** How long those who look this runtime up may take to know: one round trip to a store. */
const LEAVE_MS = 500;
/** How long the port may take to close: it is the last thing, and no budget is kept for it. */
const CLOSE_MS = 250;

export async function shutDown(
  context: ShutdownContext,
): Promise<{ stages: StageReport[]; overran: boolean }> {
  const { clock, emit, gate, companions, signal } = context;
  const startMs = clock.now();
  const leaving = companions.flatMap((companion) => companion.leave?.() ?? []);
  if (leaving.length > 0)
    await within(
      Promise.all(leaving).then(() => {}),
      LEAVE_MS,
      { clock, signal },
    );
  const result = await runLedger(stageWork(context), {
    clock,
    budgetMs: context.budgetMs - (clock.now() - startMs),
    drainMs: drainMs(context.drain, context.budgetMs),
    onStageEnded: (report) => emit({ type: "stage-ended", ...report }),
    signal,
  });
  if (gate && !signal.aborted) {
    const closed = runTask(() => gate.close()).then((reason) => {
      if (reason !== undefined) emit({ type: "shutdown-task-failed", reason });
    });
    await within(closed, CLOSE_MS, { clock, signal });
  }
  return result;
}

function stageWork(context: ShutdownContext): Record<Stage, StageWork> {
  const { gate, companions, background, clock } = context;
  let servicesStopped = Promise.resolve();
  const unfinished = new Set(context.shutdownTasks.keys());
  return {
    drain: drainWork(context),
    "in-flight": {
      run: async (over) => {
        context.enter("stopping");
        gate?.refuse();
        for (const companion of companions) companion.refuse?.(over);
        await gate?.whenEmpty(over);
        for (const companion of companions) await companion.whenEmpty?.(over);
      },
      late: () => [gate, ...companions].flatMap((each) => each?.inside?.() ?? []),
    },
    tasks: {
      run: () => background.stop(),
      late: () => counted(background.running, "background task"),
    },
    services: {
      run: () => (servicesStopped = context.stopServices()),
      cut: () => context.killServices(),
      late: () => context.lateServices(),
    },
    "shutdown-tasks": {
      run: async (over) => {
        await within(servicesStopped, KILLED_MS, { clock, signal: over });
        if (over.aborted) return;
        await Promise.all(
          context.shutdownTasks.map(async (task, index) => {
            const reason = await runTask(task);
            unfinished.delete(index);
            if (reason !== undefined) context.emit({ type: "shutdown-task-failed", reason });
          }),
        );
      },
      late: () => [...unfinished].map((index) => `shutdown task ${index + 1}`),
    },
  };
}

/** Requests are served on, until nobody can be left who sends them because nobody has told him. */
function drainWork({ drain, budgetMs, clock, gate, enter, emit }: ShutdownContext): StageWork {
  const limitMs = drainMs(drain, budgetMs);
  let wait: DrainWait | undefined;
  return {
    run(over) {
      enter("draining");
      gate?.drain();
      if (drain.until === "probers" && gate) wait = waitForProbers(gate, clock);
      over.addEventListener("abort", () => wait?.stop());
      const probers = wait?.probers ?? [];
      if (probers.length > 0 || (drain.until === "time" && limitMs > 0)) {
        emit({
          type: "drain-began",
          limitMs,
          probers: probers.map(({ source, intervalMs }) => ({ source, intervalMs })),
        });
      }
      // A time is over when the ledger says so.
      return drain.until === "time" && limitMs > 0
        ? new Promise(() => {})
        : (wait?.done ?? Promise.resolve());
    },
    late: () => (wait?.unaware() ?? []).map(({ source }) => `prober ${source}`),
  };
}

function counted(count: number, what: string): string[] {
  return count === 0 ? [] : [`${count} ${what}${count === 1 ? "" : "s"}`];
}
