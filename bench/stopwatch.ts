// One life of a program under the stopwatch: started, asked until it is ready, told to stop, waited for.
import { freePort, native } from "./workshop.ts";

export interface Life {
  /** From exec to the first 200. */
  readyMs: number;
  /** When it had ended, on the system's monotonic clock. */
  endedNs: bigint;
}

export interface Question {
  path: string;
  /** The pause between two tries: how exact the answer is, and how much the asking costs. */
  pollUs: number;
  /** Variables beside `PORT`. */
  env?: Readonly<Record<string, string>>;
}

/** Runs the command with a free port as `PORT`. Rejects when it does not become ready within 30 seconds. */
export async function life(command: readonly string[], { path, pollUs, env }: Question): Promise<Life> {
  const port = await freePort();
  const watch = Bun.spawn([await native("stopwatch"), String(port), path, String(pollUs), ...command], {
    env: { ...process.env, ...env, PORT: String(port) },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [output, problem, exitCode] = await Promise.all([
    new Response(watch.stdout).text(),
    new Response(watch.stderr).text(),
    watch.exited,
  ]);
  if (exitCode !== 0) throw new Error(`cannot time ${command.join(" ")}: ${problem.trim()}`);
  const [readyUs = "", endedNs = ""] = output.trim().split(" ");
  return { readyMs: Number(readyUs) / 1000, endedNs: BigInt(endedNs) };
}
