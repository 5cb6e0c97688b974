// wal-appends: durable records a second of the embedded store, 64 writers that each wait for one commit of one record before the
// next, against a bare group-commit loop over the same table. loop-stall-p99: how long a timer's turn comes late meanwhile.
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { openStoreAt } from "../src/compose/store-at.ts";
import { systemClock } from "../src/drivers/clock.ts";
import type { NewRecord } from "../src/ports/store.ts";
import { alternate, median } from "./measure.ts";
import { round, type Row } from "./row.ts";

const WAITERS = 64;
const RECORDS = 40_000;
const RECORDS_ALONE = 500;
const STEPS_EACH = 10;

/** Takes one record; resolves once it is durable. */
type Append = (record: NewRecord) => Promise<unknown>;

export interface Contender {
  append: Append;
  close(): Promise<void>;
}

export const walAppends: Row = {
  name: "wal-appends",
  unit: "records/s",
  // A step is two records, and 30,000 steps a second stand against 70,000 of a bare loop.
  target: { ratioMin: 0.43 },
  cost: "who owns it, what it expects, the sequence of its tenant, one promise more for each commit.",
  async measure() {
    const { value, floor } = await alternate(
      { count: 5 },
      { value: () => rate(ours), floor: () => rate(bare) },
    );
    const alone = await latencies();
    return { value, floor, note: `one writer alone: p50 ${round(alone)} ms` };
  },
};

export const loopStall: Row = {
  name: "loop-stall-p99",
  unit: "ms",
  target: { valueMax: 20 },
  cost: "a batch's own statements and its fsync, in which nothing else runs.",
  async measure() {
    const { value, floor } = await alternate(
      { count: 5 },
      { value: () => stall(ours), floor: () => stall(bare) },
    );
    return { value, floor };
  },
};

/** In a folder beside the bench, on a real disk: where temporary files are may be memory. */
export async function within<T, C extends { close(): Promise<void> } = Contender>(
  open: (path: string) => Promise<C>,
  use: (contender: C) => Promise<T>,
): Promise<T> {
  const dist = join(import.meta.dir, "../dist");
  await mkdir(dist, { recursive: true });
  const folder = await mkdtemp(join(dist, "wal-"));
  const contender = await open(join(folder, "haraka.db"));
  try {
    return await use(contender);
  } finally {
    await contender.close();
    await rm(folder, { recursive: true });
  }
}

async function ours(path: string): Promise<Contender> {
  const store = await openStoreAt(`sqlite:${path}`, { clock: systemClock(), cwd: "/" });
  return {
    append: (record) => store.commit("default", { append: [record] }),
    close: () => store.close(),
  };
}

/** What any group commit has to do: take what has come, insert it, COMMIT, tell everybody. */
export async function bare(path: string): Promise<Contender> {
  const database = new DatabaseSync(path);
  database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
  database.exec(
    `CREATE TABLE log (id INTEGER PRIMARY KEY, time_ms INTEGER, type TEXT, event TEXT, session TEXT, execution INTEGER, saga TEXT, step TEXT, payload TEXT);
     CREATE INDEX log_execution ON log (execution)`,
  );
  const [begin, commit] = ["BEGIN", "COMMIT"].map((sql) => database.prepare(sql));
  const insert = database.prepare("INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
  let waiting: { record: NewRecord; resolve: () => void }[] = [];
  let seq = 0;
  const flush = (): void => {
    const batch = waiting;
    waiting = [];
    begin?.run();
    for (const { record } of batch) {
      const { type, id, session = null, execution, saga = null, step = null, payload } = record;
      const number = Number(execution?.slice(10));
      insert.run(++seq, Date.now(), type, id, session, number, saga, step, JSON.stringify(payload));
    }
    commit?.run();
    for (const { resolve } of batch) resolve();
  };
  return {
    append: (record) =>
      new Promise<void>((resolve) => {
        if (waiting.push({ record, resolve }) === 1) setImmediate(flush);
      }),
    close: async () => database.close(),
  };
}

export function recordOf(number: number): NewRecord {
  return {
    id: `event_${String(number).padStart(22, "0")}`,
    type: "step_completed",
    session: "session_0123456789abcdefghijkl",
    execution: `execution_${Math.floor(number / (WAITERS * STEPS_EACH)) * WAITERS + (number % WAITERS)}`,
    saga: "saga_0123456789abcdefghijkl",
    step: "reserve",
    payload: { attempt: 1, output: { reservation: "r-123", ok: true } },
  };
}

async function saturate({ append }: Contender): Promise<void> {
  let count = 0;
  const write = async (): Promise<void> => {
    while (count < RECORDS) await append(recordOf(count++));
  };
  await Promise.all(Array.from({ length: WAITERS }, write));
}

/** Records a second. */
function rate(open: (path: string) => Promise<Contender>): Promise<number> {
  return within(open, async (contender) => {
    const startMs = performance.now();
    await saturate(contender);
    return RECORDS / ((performance.now() - startMs) / 1_000);
  });
}

/** The 99th percentile of the time between two turns of the loop, in milliseconds. */
function stall(open: (path: string) => Promise<Contender>): Promise<number> {
  return within(open, async (contender) => {
    const turnsMs: number[] = [];
    let lastMs = performance.now();
    const turn = (): void => {
      const nowMs = performance.now();
      turnsMs.push(nowMs - lastMs);
      lastMs = nowMs;
    };
    const timer = setInterval(turn, 0);
    await saturate(contender);
    clearInterval(timer);
    return turnsMs.sort((a, b) => a - b)[Math.floor(turnsMs.length * 0.99)] ?? NaN;
  });
}

/** The median of a writer that has the store to itself, in milliseconds. */
function latencies(): Promise<number> {
  return within(ours, async ({ append }) => {
    const tookMs: number[] = [];
    for (let count = 0; count < RECORDS_ALONE; count++) {
      const startMs = performance.now();
      await append(recordOf(count));
      tookMs.push(performance.now() - startMs);
    }
    return median(tookMs);
  });
}
