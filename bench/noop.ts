// noop-1000: a thousand services that do nothing, started in a process of their own. What counts is the first start, with cold
// code; the floor is a thousand bare calls.
import { join } from "node:path";
import { median } from "./measure.ts";
import { round, type Row } from "./row.ts";

const PROCESSES = 9;

export const noop1000: Row = {
  name: "noop-1000",
  unit: "ms",
  target: { valueMax: 15 },
  cost: "five events for each service, in code that runs for the first time and is interpreted; warm, the same start takes a third of that.",
  async measure() {
    const cold: number[] = [];
    const warm: number[] = [];
    const bare: number[] = [];
    for (let count = 0; count < PROCESSES; count++) {
      const program = join(import.meta.dir, "programs/noop-1000.ts");
      const child = Bun.spawn([process.execPath, program], { stdout: "pipe", stderr: "inherit" });
      const times = (await new Response(child.stdout).json()) as { orchestrated: number[]; bare: number[] };
      cold.push(times.orchestrated[0] ?? NaN);
      warm.push(...times.orchestrated.slice(1));
      bare.push(times.bare[0] ?? NaN);
    }
    return { value: median(cold), floor: median(bare), note: `with warm code: ${round(median(warm))} ms` };
  },
};
