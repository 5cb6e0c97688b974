// restart-latency: a process is killed with SIGKILL, and what counts is the time until its next incarnation says its first word.
// Each kill comes after a healthy spell, so the restart is an immediate one; what the backoff adds to the next is not measured.
import { alternate, median } from "./measure.ts";
import { peersBeside, type Program, workOf } from "./peers.ts";
import type { Row } from "./row.ts";
import { livingOf } from "./living.ts";
import { config, executable, haraka, native } from "./workshop.ts";

const KILLS = 5;
/** The spell between two kills. */
const OUR_PAUSE_MS = 300;
/** s6 holds back what has lived for less than a second, and so does supervisord. */
const THEIR_PAUSE_MS = 1200;

export const restartLatency: Row = {
  name: "restart-latency",
  unit: "ms",
  target: { valueMax: 10 },
  cost: "an exit that the loop hears of, a fold, a spawn.",
  async measure() {
    const work = await workOf({ app: [] });
    const restart = { policy: "always", resetAfter: "100ms", limit: "1000/1m" };
    const services = { app: { command: work.command(), readiness: { log: "ready" }, restart } };
    const file = await config("restart-latency", { http: { host: "127.0.0.1" }, services });
    const product = { command: [await haraka(), "run", "-c", file] };
    const loop = { command: [await executable("bare-loop"), "restart-latency", ...work.command()] };
    const { value, floor } = await alternate(
      { count: 5 },
      {
        value: () => killed(product, OUR_PAUSE_MS),
        floor: () => killed(loop, OUR_PAUSE_MS),
      },
    );
    const note = await peersBeside({
      row: "restart-latency",
      work,
      unit: "ms",
      measure: (program) => killed(program, THEIR_PAUSE_MS),
    });
    return { value, floor, note };
  },
};

/** The median, in milliseconds, of a few kills of the program's only child. */
async function killed(program: Program, pauseMs: number): Promise<number> {
  await using living = await livingOf(program, { births: 1 });
  const slayer = [await native("slay"), living.births, String(KILLS), String(pauseMs)];
  const { exitCode, stdout, stderr } = Bun.spawnSync(slayer);
  if (exitCode !== 0)
    throw new Error(`cannot time the restarts of ${program.command[0]}: ${stderr.toString()}`);
  return median(stdout.toString().trim().split("\n").map(Number)) / 1000;
}
