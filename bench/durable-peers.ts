// The others that carry out steps durably, each as it comes and with a server of its own, for the note beside a row. They are
// dependencies of nobody: who wants them measured installs them in a folder and names it in `BENCH_PEERS`. Who is not there is
// said to be absent.
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { round } from "./row.ts";

interface Peer {
  name: string;
  /** In the folder. */
  packages: readonly string[];
  /** On PATH. */
  programs: readonly string[];
  /** `durable/NAME.ts` */
  file: string;
}

const PEERS: readonly Peer[] = [
  { name: "DBOS", packages: ["@dbos-inc/dbos-sdk"], programs: ["postgres", "initdb"], file: "dbos" },
  {
    name: "Restate",
    packages: ["@restatedev/restate-sdk", "@restatedev/restate-server"],
    programs: [],
    file: "restate",
  },
  { name: "BullMQ", packages: ["bullmq", "ioredis"], programs: ["redis-server"], file: "bullmq" },
];

/** So many workflows in a race; they take longer than ours. */
const SAGAS = { 1: 20, 8: 160, 64: 640 };
const PATIENCE_MS = 120_000;
const NODE = join(import.meta.dir, "../node_modules/.bin/node");

/** What the others did of the same work, in words: milliseconds a step for one client alone, steps a second for more. */
export async function durablePeersBeside(
  waiters: 1 | 8 | 64,
  { only }: { only?: string } = {},
): Promise<string> {
  const peers = PEERS.filter(({ name }) => only === undefined || name === only);
  const installed = process.env.BENCH_PEERS;
  const isThere = ({ packages, programs }: Peer): boolean =>
    installed !== undefined &&
    packages.every((name) => existsSync(join(installed, "node_modules", name))) &&
    programs.every((name) => Bun.which(name) !== null);
  const parts: string[] = [];
  for (const peer of peers.filter(isThere)) parts.push(`${peer.name} ${await raced(peer, waiters)}`);
  const absent = peers.filter((peer) => !isThere(peer)).map(({ name }) => name);
  if (absent.length > 0) parts.push(`absent: ${absent.join(", ")}`);
  return parts.join("; ");
}

async function raced({ file }: Peer, waiters: 1 | 8 | 64): Promise<string> {
  const dist = join(import.meta.dir, "../dist");
  await mkdir(dist, { recursive: true });
  const folder = await mkdtemp(join(dist, `${file}-`));
  // Postgres runs as somebody else.
  await chmod(folder, 0o755);
  const env = { ...process.env, FOLDER: folder, WAITERS: String(waiters), SAGAS: String(SAGAS[waiters]) };
  try {
    const child = Bun.spawn([NODE, join(import.meta.dir, "durable", `${file}.ts`)], {
      env,
      stdout: "pipe",
      stderr: "pipe",
      timeout: PATIENCE_MS,
    });
    const [said, problem] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    const last = said.trim().split("\n").at(-1) ?? "";
    // Of another version perhaps; no reason to measure nothing else.
    if (!last.startsWith("{")) return `failed (${problem.trim().slice(-100)})`;
    const { steps, ms } = JSON.parse(last) as { steps: number; ms: number };
    return waiters === 1 ? `${round(ms / steps)} ms` : `${Math.round((steps * 1000) / ms)} steps/s`;
  } finally {
    // Its server may still be leaving.
    await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
}
