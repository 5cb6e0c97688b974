// logs-mbps: twenty services write as fast as they are let, the executable makes JSON lines of it, and one reader takes them in
// and looks for what is missing. What counts is the services' own bytes by the time from the first to the last. A bare loop
// copies the same bytes from the same children to the same reader in the same run.
import { alternate } from "./measure.ts";
import { round, type Row } from "./row.ts";
import { config, executable, haraka, native } from "./workshop.ts";

const SERVICES = 20;
const NS_PER_S = 1e9;
const BYTES_PER_MB = 1e6;

/** How much a service writes. */
interface Load {
  lines: number;
  lineBytes: number;
}

const LONG: Load = { lines: 20_000, lineBytes: 1000 };
const SHORT: Load = { lines: 60_000, lineBytes: 100 };
const SHORT_MBPS_MIN = 60;

export const logsMbps: Row = {
  name: "logs-mbps",
  unit: "MB/s",
  target: { valueMin: 200 },
  cost: "a look at every byte for what JSON has to escape, and a prefix for every line.",
  async measure() {
    const long = await measured(LONG);
    const short = await measured(SHORT);
    const verdict = short.value >= SHORT_MBPS_MIN ? "≥" : "missed:";
    const note = `lines of 1000 bytes; of 100 bytes: ${round(short.value)} MB/s (${verdict} ${SHORT_MBPS_MIN}), a bare copy: ${round(short.floor)} MB/s; lost = 0`;
    return { ...long, note };
  },
};

async function measured(load: Load): Promise<{ value: number; floor: number }> {
  const command = [await native("flood"), String(load.lines), String(load.lineBytes)];
  const names = Array.from({ length: SERVICES }, (_, index) => `p${index + 1}`);
  const services = Object.fromEntries(names.map((name) => [name, { kind: "task", command }]));
  const file = await config(`logs-${load.lineBytes}`, { http: false, services });
  const sink = await native("line-sink");
  const product = [await haraka(), "run", "-c", file];
  const loop = [await executable("bare-copy"), String(SERVICES), ...command];
  return alternate(
    { count: 5 },
    {
      value: () => throughput(product, [sink, String(SERVICES)], load),
      floor: () => throughput(loop, [sink], load),
    },
  );
}

/** MB/s. Rejects when the reader did not get every line in its order. */
async function throughput(
  program: readonly string[],
  sink: readonly string[],
  { lines, lineBytes }: Load,
): Promise<number> {
  const piped = Bun.spawn(["sh", "-c", `${quoted(program)} | ${quoted(sink)}`], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const [ns = 0, bytes = 0, lost = 0] = (await new Response(piped.stdout).text())
    .trim()
    .split(" ")
    .map(Number);
  const missing = SERVICES * lines * lineBytes - bytes;
  if (lost !== 0 || missing !== 0)
    throw new Error(`cannot measure ${program[0]}: ${lost} lines lost, ${missing} bytes missing`);
  return bytes / BYTES_PER_MB / (ns / NS_PER_S);
}

const quoted = (words: readonly string[]): string => words.map((word) => `'${word}'`).join(" ");
