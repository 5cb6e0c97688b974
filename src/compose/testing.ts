// For tests of services: a clock that is turned by hand, and a runtime on it, with a plane if asked for, that touches neither signals
// nor output.
import type { Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { RuntimeEvent } from "../ports/runtime-event.ts";
import type { ServiceLike } from "../ports/service.ts";
import { Orchestrator, type OrchestratorOptions } from "./library.ts";
import type { UseOptions } from "./use-options.ts";

/** A clock that stands still until it is turned. */
export interface TestClock extends Clock {
  /**
   * Moves time on by `ms`, running what falls due in order of its time; between two, everything that follows from the first
   * without waiting for time or the outside world has happened. Turned twice at once, it goes on to the later of the two.
   */
  advance(ms: number): Promise<void>;
}

/** Starts at 0; `wallTime` at `startMs` (default: the beginning of 2026, UTC). */
export function testClock({ startMs = Date.UTC(2026, 0, 1) }: { startMs?: number } = {}): TestClock {
  let nowMs = 0;
  const timers = new Set<{ atMs: number; run: () => void }>();
  return {
    now: () => nowMs,
    wallTime: () => startMs + nowMs,
    after(delayMs, run) {
      const timer = { atMs: nowMs + Math.max(0, delayMs), run };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
    async advance(ms) {
      const untilMs = nowMs + ms;
      await settle();
      for (let timer = earliest(timers); timer && timer.atMs <= untilMs; timer = earliest(timers)) {
        timers.delete(timer);
        nowMs = Math.max(nowMs, timer.atMs);
        timer.run();
        await settle();
      }
      nowMs = Math.max(nowMs, untilMs);
    },
  };
}

function earliest<T extends { atMs: number }>(timers: Iterable<T>): T | undefined {
  let first: T | undefined;
  for (const timer of timers) if (first === undefined || timer.atMs < first.atMs) first = timer;
  return first;
}

/** Lets every promise that can settle do so: a macrotask comes after all microtasks. */
function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

export interface TestRuntime extends AsyncDisposable {
  orchestrator: Orchestrator;
  clock: TestClock;
  /** Everything that has happened, in order. */
  events: readonly RuntimeEvent[];
}

const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** As an `Orchestrator` takes them. */
export interface TestRuntimeOptions extends Pick<OrchestratorOptions, "plane" | "store"> {}

/**
 * Starts `services`, each alone or with its options, on a test clock. A `plane` keeps what it has in memory, unless `store` says
 * otherwise, and what waits in it for time, as a saga that sleeps, goes on when the clock is turned. Rejects as `Orchestrator.run`
 * does. Disposing of it shuts it down; a service that waits for time while it stops needs the clock turned first.
 */
export async function testRuntime(
  services: readonly (ServiceLike | readonly [service: ServiceLike, options: UseOptions])[],
  { plane, store = plane && "memory" }: TestRuntimeOptions = {},
): Promise<TestRuntime> {
  const clock = testClock();
  const options = { clock, log: SILENT, exit: false, ...(plane && { plane }), ...(store && { store }) };
  // In a microtask, so that what follows from a turn of the clock has happened when `advance` resolves.
  const orchestrator = new Orchestrator(options, { nextTurn: queueMicrotask });
  const events: RuntimeEvent[] = [];
  orchestrator.on((event) => events.push(event));
  for (const entry of services) {
    if (Array.isArray(entry)) orchestrator.use(entry[0], entry[1]);
    else orchestrator.use(entry as ServiceLike);
  }
  await orchestrator.run();
  return {
    orchestrator,
    clock,
    events,
    async [Symbol.asyncDispose]() {
      await orchestrator.shutdown();
    },
  };
}
