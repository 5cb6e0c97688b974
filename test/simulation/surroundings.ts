// What belongs to no service: requests that come and go, who asks readiness, background and shutdown tasks. Some of each never end.
import { Probers } from "../../src/core/drain.ts";
import type { Gate } from "../../src/ports/gate.ts";
import type { Supervisor } from "../../src/runtime/supervisor.ts";
import type { VirtualClock } from "./clock.ts";
import type { Random } from "./random.ts";
import type { Scenario } from "./scenario.ts";

export interface Surroundings {
  clock: VirtualClock;
  random: Random;
  /** The runtime has ended. */
  isOver: () => boolean;
  breach: (invariant: string, message: string) => void;
}

/**
 * Requests come and go as long as they are let in; some never end, and the port may never close. Up to two probers ask in their
 * rhythm; one may not be there any more when it would see the drain.
 */
export function scriptedGate({ clock, random, isOver }: Surroundings): Gate {
  let inside = 0;
  let isDraining = false;
  let isRefusing = false;
  let onFewer = () => {};
  const probers = new Probers();
  const listeners = new Set<(source: string) => void>();
  const leave = () => {
    inside--;
    onFewer();
  };
  const arrive = () => {
    if (isRefusing || isOver()) return;
    const tookMs = random.chance(0.05) ? Infinity : random.between(0, 400);
    inside++;
    if (tookMs !== Infinity) clock.later(tookMs, leave);
    clock.later(random.between(50, 900), arrive);
  };
  clock.later(random.between(0, 500), arrive);
  const ask = (prober: { source: string; intervalMs: number; leaves: boolean }) => {
    if (isOver() || (isDraining && prober.leaves)) return;
    probers.asked(prober.source, clock.now());
    for (const listener of listeners) listener(prober.source);
    clock.later(prober.intervalMs, () => ask(prober));
  };
  for (let count = random.pick([0, 1, 2]); count > 0; count--) {
    const prober = {
      source: `10.0.0.${count}`,
      intervalMs: random.between(50, 900),
      leaves: random.chance(0.2),
    };
    clock.later(random.between(0, 500), () => ask(prober));
  }
  return {
    drain: () => void (isDraining = true),
    refuse: () => void (isRefusing = true),
    probers: () => probers.active(clock.now()),
    onAsked(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    inFlight: () => inside,
    whenEmpty: (signal) =>
      new Promise((resolve) => {
        onFewer = () => {
          if (inside === 0) resolve();
        };
        onFewer();
        signal.addEventListener("abort", () => (onFewer = () => {}));
      }),
    inside: () => (inside === 0 ? [] : [`${inside} requests`]),
    close: () => {
      const tookMs = random.pick([0, 0, 10, Infinity]);
      return new Promise((resolve) => {
        if (tookMs === 0) resolve();
        else if (tookMs !== Infinity) clock.later(tookMs, resolve);
      });
    },
  };
}

const LINGER_MS = 40;

/** Work that ends when it is told to, later, never, or in tears. */
export function addTasks(
  supervisor: Supervisor,
  { backgroundTasks, shutdownTasks }: Scenario,
  { clock, random, isOver, breach }: Surroundings,
): void {
  const linger = () => new Promise<void>((resolve) => void clock.later(LINGER_MS, resolve));
  const drawKind = () => random.pick(["ends", "lingers", "deaf", "fails"]);
  for (let left = backgroundTasks; left > 0; left--) {
    const kind = drawKind();
    supervisor.addBackgroundTask(async (signal) => {
      if (kind === "fails") throw new Error("lost");
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      if (kind === "lingers") await linger();
      if (kind === "deaf") await new Promise(() => {});
    });
  }
  for (let left = shutdownTasks; left > 0; left--) {
    const kind = drawKind();
    supervisor.addShutdownTask(async () => {
      if (isOver()) breach("silence-after-the-end", "a shutdown task began");
      if (kind === "fails") throw new Error("cannot flush");
      if (kind === "lingers") await linger();
      if (kind === "deaf") await new Promise(() => {});
    });
  }
}
