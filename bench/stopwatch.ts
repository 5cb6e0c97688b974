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

/** Runs the command with a free port as `PORT`. Rejects when it does not become ready within a minute. */
export async function life(command: readonly string[], { path, pollUs, env }: Question): Promise<Life> {
  const port = String(await freePort());
  return timed(command, { words: [port, path, String(pollUs)], env: { ...env, PORT: port } });
}

/** The same for who answers no requests: ready once the file has so many lines. */
export async function silentLife(
  { command, env = {} }: { command: readonly string[]; env?: Readonly<Record<string, string>> },
  { file, lines, pollUs }: { file: string; lines: number; pollUs: number },
): Promise<Life> {
  return timed(command, { words: [file, String(lines), String(pollUs)], env });
}

interface Timing {
  /** What the stopwatch is told. */
  words: readonly string[];
  env: Readonly<Record<string, string>>;
}

async function timed(command: readonly string[], { words, env }: Timing): Promise<Life> {
  const watch = Bun.spawn([await native("stopwatch"), ...words, ...command], {
    env: { ...process.env, ...env },
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
