// durable-steps@N: steps of sagas a second, N clients that each submit a saga of ten steps and wait for its end before the next. Every
// step's start is durable before its function is called, its end before the next begins. The floor is a bare group-commit loop, N
// writers, two records a step; `@1` is the time that one step takes a client who has the store to itself.
import { saga } from "../src/plane/saga-builder.ts";
import { durablePeersBeside } from "./durable-peers.ts";
import { alternate, median } from "./measure.ts";
import { type BenchPlane, openPlane, SESSION } from "./plane.ts";
import { round, type Row } from "./row.ts";
import { bare, type Contender, recordOf, within } from "./wal.ts";

export const STEPS = 10;
const NS_PER_MS = 1e6;

/** So many sagas in a round. */
export const SAGAS = { 1: 50, 8: 800, 64: 3200 };

const COST =
  "of a saga of ten steps 21 records for 20, three entries and two commits more; the machine, a timer and a signal for each call, its promise.";

export const durableSteps1 = aloneRow("durable-steps@1", {
  ours: overSqlite,
  loop,
  beside: durablePeersBeside,
});
export const durableSteps8 = stepsRow("durable-steps@8", {
  ours: overSqlite,
  loop,
  beside: durablePeersBeside,
  waiters: 8,
  target: { ratioMin: 0.4 },
});
export const durableSteps64 = stepsRow("durable-steps@64", {
  ours: overSqlite,
  loop,
  beside: durablePeersBeside,
  waiters: 64,
  target: { valueMin: 30_000 },
});

interface Contenders {
  ours: Open;
  loop: Open;
  /** Other floors, measured in the same run and named beside. */
  floors?: Readonly<Record<string, Open>>;
  /** Default: what a saga is beyond its steps. */
  cost?: string;
  /** Measures others at the same work, and says what came out. */
  beside?: (waiters: Waiters) => Promise<string>;
}

export type Waiters = keyof typeof SAGAS;

/** The time that one step takes. */
export function aloneRow(name: string, { ours, loop, floors = {}, cost = COST, beside }: Contenders): Row {
  return {
    name,
    unit: "ms",
    target: { valueMax: 2 },
    cost,
    async measure() {
      const { value, floor, ...others } = await alternate(
        { count: 5 },
        { value: () => alone(ours), floor: () => alone(loop), ...each(floors, alone) },
      );
      const notes = [...inWords(others, "ms"), ...(beside ? [await beside(1)] : [])];
      return { value, floor, ...(notes.length > 0 && { note: notes.join("; ") }) };
    },
  };
}

export function stepsRow(
  name: string,
  {
    ours,
    loop,
    floors = {},
    cost = COST,
    beside,
    waiters,
    target,
  }: Contenders & { waiters: 8 | 64; target: Row["target"] },
): Row {
  return {
    name,
    unit: "steps/s",
    target,
    cost,
    async measure() {
      const cpuUs: number[] = [];
      const { value, floor, ...others } = await alternate(
        { count: 5 },
        {
          value: () => rate(ours, { waiters, onCpuUs: (us) => cpuUs.push(us) }),
          floor: () => rate(loop, { waiters }),
          ...each(floors, (open) => rate(open, { waiters })),
        },
      );
      const cpu = `${round(median(cpuUs))} µs of CPU a step`;
      const notes = [cpu, ...inWords(others, "steps/s"), ...(beside ? [await beside(waiters)] : [])];
      return { value, floor, note: notes.join("; ") };
    },
  };
}

function each(
  floors: Readonly<Record<string, Open>>,
  measure: (open: Open) => Promise<number>,
): Record<string, () => Promise<number>> {
  return Object.fromEntries(Object.entries(floors).map(([name, open]) => [name, () => measure(open)]));
}

function inWords(figures: Readonly<Record<string, number>>, unit: string): string[] {
  return Object.entries(figures).map(([name, figure]) => `${name} ${round(figure)} ${unit}`);
}

/** Carries out one saga. */
type Run = (number: number) => Promise<void>;
export interface Runner {
  run: Run;
  close(): Promise<void>;
}

function overSqlite(path: string): Promise<Runner> {
  return sagasOver(`sqlite:${path}`);
}

/** Sagas over the store at that place. */
export async function sagasOver(url: string): Promise<Runner> {
  const plane = await openPlane(url);
  register(plane);
  plane.engine.run();
  const { executions, close } = plane;
  return {
    async run(number) {
      const { id } = await executions.submit({ type: "bench", session: SESSION, payload: { number } });
      const { state } = await executions.wait(id, { timeoutMs: 60_000 });
      if (state !== "completed") throw new Error(`cannot measure: a saga is ${state}`);
    },
    close,
  };
}

function register({ intents }: BenchPlane): void {
  const undo = (): void => {};
  let all = saga("bench").step("step0", {
    execute: () => ({ reservation: "r-123", ok: true }),
    compensate: undo,
  });
  for (let index = 1; index < STEPS; index++) {
    const execute = () => ({ reservation: "r-123", ok: true });
    all = all.step(`step${index}`, { execute, compensate: undo }) as typeof all;
  }
  intents.registerSaga(all);
}

async function loop(path: string): Promise<Runner> {
  const { append, close }: Contender = await bare(path);
  return {
    async run(number) {
      for (let step = 0; step < STEPS; step++) {
        await Promise.all([append(recordOf(number)), append(recordOf(number))]);
      }
    },
    close,
  };
}

type Open = (path: string) => Promise<Runner>;

/** Steps a second. */
function rate(
  open: Open,
  { waiters, onCpuUs }: { waiters: 8 | 64; onCpuUs?: (us: number) => void },
): Promise<number> {
  return within(open, async ({ run }) => {
    const sagas = SAGAS[waiters];
    let count = 0;
    const client = async (): Promise<void> => {
      while (count < sagas) await run(count++);
    };
    const cpu = process.cpuUsage();
    const startMs = performance.now();
    await Promise.all(Array.from({ length: waiters }, client));
    const tookMs = performance.now() - startMs;
    const { user, system } = process.cpuUsage(cpu);
    onCpuUs?.((user + system) / (sagas * STEPS));
    return (sagas * STEPS * 1000) / tookMs;
  });
}

/** The median of what a step takes, in milliseconds. */
function alone(open: Open): Promise<number> {
  return within(open, async ({ run }) => {
    const tookMs: number[] = [];
    for (let count = 0; count < SAGAS[1]; count++) {
      const start = Bun.nanoseconds();
      await run(count);
      tookMs.push((Bun.nanoseconds() - start) / NS_PER_MS / STEPS);
    }
    return median(tookMs);
  });
}
