// chain-20, fanout-99, stop-20: the executable with process services, each a tiny C program that says "ready" in its output.
// What counts is everything from exec to the first 200 of /health/ready, the runtime's own boot included; and for the stop,
// from the end of the last child to the end of the runtime. A bare loop of spawns goes through the same in the same run.
import { readFileSync } from "node:fs";
import { alternate } from "./measure.ts";
import { BIRTHS, peersBeside, type Program, type Shape, workOf } from "./peers.ts";
import { round, type Row } from "./row.ts";
import { type Life, life, silentLife } from "./stopwatch.ts";
import { config, executable, freshFile, haraka, native } from "./workshop.ts";

const POLL_US = 1000;
const QUESTION = { path: "/health/ready", pollUs: POLL_US };
const NS_PER_MS = 1_000_000;

const numbered = (count: number) => Array.from({ length: count }, (_, index) => `p${index + 1}`);
const chain: Shape = Object.fromEntries(
  numbered(20).map((name, index, names) => [name, names.slice(Math.max(0, index - 1), index)]),
);
const fan: Shape = { root: [], ...Object.fromEntries(numbered(99).map((name) => [name, ["root"]])) };
const apart: Shape = Object.fromEntries(numbered(20).map((name) => [name, []]));

export const chain20 = startRow({
  name: "chain-20",
  shape: chain,
  delayMs: 50,
  floorMs: 1000,
  cost: "the twenty spawns, as in the bare loop; the boot (see boot-to-ready); and the events between a line and the next spawn.",
  ratioMax: 1.05,
});
export const fanout99 = startRow({
  name: "fanout-99",
  shape: fan,
  delayMs: 100,
  floorMs: 200,
  cost: "each of the hundred spawns holds the loop for a third of a millisecond, as in the bare loop; then the boot (see boot-to-ready), a larger config and a second pipe for each.",
  ratioMax: 1.35,
});

interface StartRow {
  name: string;
  shape: Shape;
  /** How long each takes to become ready. */
  delayMs: number;
  cost: string;
  /** The critical path. */
  floorMs: number;
  ratioMax: number;
}

function startRow({ name, cost, shape, delayMs, floorMs, ratioMax }: StartRow): Row {
  return {
    name,
    cost,
    unit: "ms",
    target: { ratioMax },
    async measure() {
      const command = [await native("child"), String(delayMs)];
      const { product, loop } = await contenders(name, { shape, command });
      const { value, bare } = await alternate(
        { count: 7 },
        {
          value: async () => (await life(product, QUESTION)).readyMs,
          bare: async () => (await life(loop, QUESTION)).readyMs,
        },
      );
      const beside = await peersBeside({
        row: name,
        work: await workOf(shape, { delayMs }),
        unit: "ms",
        // Both are about order; of the fan's hundred only the first has to come before the others.
        ordered: shape === chain,
        measure: async (program) => (await peerLife(program, shape)).readyMs,
      });
      return {
        value,
        floor: floorMs,
        note: `a bare loop: ${round(bare)} ms, ${round(bare / floorMs)} ×; ${beside}`,
      };
    },
  };
}

export const stop20: Row = {
  name: "stop-20",
  unit: "ms",
  target: { valueMax: 20 },
  cost: "the stages of the shutdown, with code that runs for the first time.",
  async measure() {
    const ends = freshFile("ends");
    const command = [await native("child"), "0", ends];
    const { product, loop } = await contenders("stop-20", { shape: apart, command });
    const afterLastChild = async (run: () => Promise<Life>) => {
      freshFile("ends");
      const { endedNs } = await run();
      const children = readFileSync(ends, "utf8")
        .trim()
        .split("\n")
        .map((line) => BigInt(line.split(" ")[0] ?? ""));
      const last = children.reduce((a, b) => (a > b ? a : b));
      return Number(endedNs - last) / NS_PER_MS;
    };
    const { value, floor } = await alternate(
      { count: 15 },
      {
        value: () => afterLastChild(() => life(product, QUESTION)),
        floor: () => afterLastChild(() => life(loop, QUESTION)),
      },
    );
    const note = await peersBeside({
      row: "stop-20",
      work: await workOf(apart, { delayMs: 0, ends }),
      unit: "ms",
      measure: (program) => afterLastChild(() => peerLife(program, apart)),
    });
    return { value, floor, note };
  },
};

/** Ready when all of its children have said that they are. */
function peerLife(program: Program, shape: Shape): Promise<Life> {
  return silentLife(program, { file: freshFile(BIRTHS), lines: Object.keys(shape).length, pollUs: POLL_US });
}

async function contenders(
  name: string,
  { shape, command }: { shape: Shape; command: readonly string[] },
): Promise<{ product: string[]; loop: string[] }> {
  const services = Object.fromEntries(
    Object.entries(shape).map(([service, dependencies]) => [
      service,
      { command, dependencies, readiness: { log: "ready" } },
    ]),
  );
  const file = await config(name, { http: { host: "127.0.0.1" }, services });
  return {
    product: [await haraka(), "run", "-c", file],
    loop: [await executable("bare-loop"), name, ...command],
  };
}
