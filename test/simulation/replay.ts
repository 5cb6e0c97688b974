// Plays simulations again by hand: `bun test/simulation/replay.ts SEED` prints the whole story of one, `… FROM..TO` looks for the
// first seed of a range that breaks something. Exits with 1 where something is broken.
import { simulate } from "./simulation.ts";
import type { Trace } from "./trace.ts";

/** Simulates each; throws the first breach with the command that shows it. */
export async function simulateAll(from: number, to: number): Promise<void> {
  for (let seed = from; seed < to; seed++) {
    try {
      await simulate(seed);
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`seed ${seed}: ${message}\n  replay: bun test/simulation/replay.ts ${seed}`, { cause });
    }
  }
}

async function main(argument: string): Promise<void> {
  const [from = 0, to] = argument.split("..").map(Number);
  if (to !== undefined) return simulateAll(from, to);
  let trace: Trace | undefined;
  try {
    const { report, hash } = await simulate(from, { onTrace: (kept) => (trace = kept) });
    console.log(`${trace?.lines.join("\n")}\n${JSON.stringify(report)}\n${hash}`);
  } catch (error) {
    console.log(trace?.lines.join("\n"));
    throw error;
  }
}

if (import.meta.main) {
  try {
    await main(process.argv[2] ?? "");
  } catch (error) {
    const isBreach = error instanceof Error && (error.name === "Violation" || error.cause instanceof Error);
    console.error(isBreach ? (error as Error).message : error);
    process.exitCode = 1;
  }
}
