// modules-50-start, modules-50-stop: five levels of ten services in this process, each of which takes 20 ms to start and 20 ms
// to stop and depends on the whole level before. The floor is the critical path; a bare graph of promises, which is awaited the
// same way, goes along and shows what of the rest is the timers'.
import { Orchestrator, Service } from "haraka-runtime";
import { alternate } from "./measure.ts";
import { round, type Row } from "./row.ts";

const LEVELS = 5;
const WIDTH = 10;
const STEP_MS = 20;
const nothing = () => {};
const log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
const step = () => new Promise<void>((resolve) => setTimeout(resolve, STEP_MS));

class Slow extends Service {
  override startup = step;
  override shutdown = step;
}

export const modules50Start = row("modules-50-start", (lifetime) => lifetime.startMs);
export const modules50Stop = row("modules-50-stop", (lifetime) => lifetime.stopMs);

interface Lifetime {
  startMs: number;
  stopMs: number;
}

function row(name: string, part: (lifetime: Lifetime) => number): Row {
  return {
    name,
    unit: "ms",
    target: { ratioMax: 1.03 },
    cost: "timers that fire late at each of the five levels, as in the bare graph; and the events of fifty services.",
    async measure() {
      const { value, bare } = await alternate(
        { count: 15, warmUp: 5 },
        { value: async () => part(await orchestrated()), bare: () => timed(bareGraph) },
      );
      const floor = LEVELS * STEP_MS;
      return { value, floor, note: `a bare graph of promises: ${round(bare)} ms, ${round(bare / floor)} ×` };
    },
  };
}

async function orchestrated(): Promise<Lifetime> {
  const orchestrator = new Orchestrator({ log, exit: false });
  let before: string[] = [];
  for (let level = 0; level < LEVELS; level++) {
    const names = Array.from({ length: WIDTH }, (_, index) => `level-${level}-${index}`);
    for (const name of names) orchestrator.use(Object.assign(new Slow(), { name }), { dependencies: before });
    before = names;
  }
  const startMs = await timed(() => orchestrator.run());
  const stopMs = await timed(() => orchestrator.shutdown());
  return { startMs, stopMs };
}

async function bareGraph(): Promise<void> {
  let before: Promise<unknown>[] = [];
  for (let level = 0; level < LEVELS; level++) {
    const needed = before;
    before = Array.from({ length: WIDTH }, () => Promise.all(needed).then(step));
  }
  await Promise.all(before);
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await run();
  return performance.now() - startMs;
}
