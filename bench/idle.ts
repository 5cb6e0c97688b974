// idle: what the runtime itself holds and does while twenty processes that it has started do nothing, and no probe is left to ask.
// The value is its resident memory; its processor time and how often it wakes up stand in the note.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { basename } from "node:path";
import { alternate } from "./measure.ts";
import { livingOf } from "./living.ts";
import { peersBeside, type Program, workOf } from "./peers.ts";
import { round, type Row } from "./row.ts";
import { config, executable, haraka } from "./workshop.ts";

const SERVICES = 20;
/** What starts may still be cleaning up. */
const SETTLE_MS = 5_000;
const WINDOW_MS = 10_000;
const KIB_PER_MB = 1e6 / 1024;
const NS_PER_S = 1e9;
const PER_MINUTE = 60_000 / WINDOW_MS;

interface Idleness {
  rssMb: number;
  /** Of that, what is no page of a file. */
  ownMb: number;
  cpuSPerMinute: number;
  wakesPerMinute: number;
}

export const idle: Row = {
  name: "idle",
  unit: "MB",
  target: { valueMax: 50 },
  cost: "the executable's own pages as they are touched, which are the file's and given back under pressure: 33 MB as soon as Bun has loaded `node:fs`, 5 more for its compilers; the engine's heap and code.",
  async measure() {
    const shape = Object.fromEntries(Array.from({ length: SERVICES }, (_, index) => [`p${index + 1}`, []]));
    const work = await workOf(shape);
    const services = Object.fromEntries(
      Object.keys(shape).map((name) => [name, { command: work.command(), readiness: { log: "ready" } }]),
    );
    const file = await config("idle", { http: { host: "127.0.0.1" }, services });
    const product = { command: [await haraka(), "run", "-c", file] };
    const loop = { command: [await executable("bare-loop"), "idle", ...work.command()] };
    const seen: { product?: Idleness; loop?: Idleness } = {};
    const { value, floor } = await alternate(
      { count: 3, warmUp: 0 },
      {
        value: async () => (seen.product = await idleness(product)).rssMb,
        floor: async () => (seen.loop = await idleness(loop)).rssMb,
      },
    );
    const beside = await peersBeside({
      row: "idle",
      work,
      unit: "MB",
      rounds: { count: 1, warmUp: 0 },
      measure: async (program) => (await idleness(program)).rssMb,
    });
    return { value, floor, note: `${inWords(seen.product)}; a bare loop: ${inWords(seen.loop)}; ${beside}` };
  },
};

function inWords(seen: Idleness | undefined): string {
  if (seen === undefined) return "";
  const { ownMb, cpuSPerMinute, wakesPerMinute } = seen;
  return `${round(ownMb)} MB not of files, ${round(cpuSPerMinute)} CPU s/min, ${wakesPerMinute} wakes/min`;
}

async function idleness(program: Program): Promise<Idleness> {
  await using living = await livingOf(program, { births: SERVICES });
  await Bun.sleep(SETTLE_MS);
  const before = spentBy(living.pid);
  await Bun.sleep(WINDOW_MS);
  const after = spentBy(living.pid);
  const { cpuNs, wakes } = spentSince(before, after);
  return {
    rssMb: after.rssKib / KIB_PER_MB,
    ownMb: after.anonKib / KIB_PER_MB,
    cpuSPerMinute: (cpuNs / NS_PER_S) * PER_MINUTE,
    wakesPerMinute: wakes * PER_MINUTE,
  };
}

interface Spent {
  rssKib: number;
  anonKib: number;
  /** By thread. */
  threads: Map<string, { cpuNs: number; wakes: number }>;
}

/** By the process and all that it has started, without the children that everybody has. */
function spentBy(pid: number): Spent {
  const of = (file: string): string => readFileSync(`/proc/${pid}/${file}`, "latin1");
  const field = (name: string, file = "status"): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(of(file))?.[1] ?? 0);
  const spent: Spent = { rssKib: field("VmRSS"), anonKib: field("RssAnon"), threads: new Map() };
  for (const id of readdirSync(`/proc/${pid}/task`)) {
    const cpuNs = Number(of(`task/${id}/schedstat`).split(" ")[0]);
    spent.threads.set(id, { cpuNs, wakes: field("voluntary_ctxt_switches", `task/${id}/status`) });
    for (const child of of(`task/${id}/children`).split(" ").filter(Boolean)) {
      if (basename(readlinkSync(`/proc/${child}/exe`)) === "child") continue;
      const { rssKib, anonKib, threads } = spentBy(Number(child));
      spent.rssKib += rssKib;
      spent.anonKib += anonKib;
      for (const [thread, what] of threads) spent.threads.set(thread, what);
    }
  }
  return spent;
}

/** What the threads that are still there have spent since then. */
function spentSince(before: Spent, { threads }: Spent): { cpuNs: number; wakes: number } {
  const total = { cpuNs: 0, wakes: 0 };
  for (const [thread, { cpuNs, wakes }] of threads) {
    total.cpuNs += cpuNs - (before.threads.get(thread)?.cpuNs ?? 0);
    total.wakes += wakes - (before.threads.get(thread)?.wakes ?? 0);
  }
  return total;
}
