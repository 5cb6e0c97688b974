// A probe that runs a command: it passes when the command ends with 0. One run at a time, cut with its whole group when the
// time is up; of its output only the end is kept, to say why it failed. How a process is started is the launcher's business.
import type { Launcher, LaunchOutcome } from "../ports/launcher.ts";
import type { Probe, ProbeResult } from "../ports/probe.ts";

export interface ExecProbeOptions {
  /** What the command is called in reasons. */
  command: string;
  /** A launcher of the command that hands over what it writes, to either stream. */
  launcher(write: (chunk: Uint8Array) => void): Launcher;
}

interface Run {
  /** Resolves, never rejects, when the process is gone. */
  ended: Promise<ProbeResult>;
  /** Checks that wait for it. */
  waiting: number;
  killed: boolean;
  kill(): void;
}

/** The end of the output that is kept while the command runs. */
const TAIL_BYTES_MAX = 4096;
/** The length of the line that a reason quotes. */
const LINE_LENGTH_MAX = 200;

export function execProbe({ command, launcher }: ExecProbeOptions): Probe {
  const name = JSON.stringify(command);
  let current: Run | undefined;

  const begin = (): Run => {
    const tail = outputTail();
    const ended = Promise.withResolvers<ProbeResult>();
    const running = launcher(tail.write).launch(1, (outcome) => {
      if (outcome.type !== "launched") ended.resolve(resultOf(outcome, { name, line: tail.lastLine() }));
    });
    const run: Run = {
      ended: ended.promise,
      waiting: 0,
      killed: false,
      kill() {
        run.killed = true;
        running.kill();
      },
    };
    void run.ended.then(() => (current = undefined));
    return run;
  };

  /** Its result, or the abort's; the last of those who wait to give up ends the run. */
  const join = async (run: Run, signal: AbortSignal): Promise<ProbeResult> => {
    run.waiting++;
    const result = await orAborted(run.ended, signal);
    run.waiting--;
    if (result !== undefined) return result;
    if (run.waiting === 0) run.kill();
    return { ok: false, reason: `${name} took too long and was killed` };
  };

  return {
    async check(signal) {
      while (current?.killed) {
        const gone = await orAborted(current.ended, signal);
        if (gone === undefined) return { ok: false, reason: `${name} was killed and is not gone yet` };
      }
      if (signal.aborted) return { ok: false, reason: `${name} was not run: there was no time left` };
      current ??= begin();
      return join(current, signal);
    },
  };
}

/** What `promise` gives, or undefined once the signal has aborted. */
async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  if (signal.aborted) return undefined;
  const aborted = Promise.withResolvers<undefined>();
  const abort = (): void => aborted.resolve(undefined);
  signal.addEventListener("abort", abort);
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

function resultOf(
  outcome: Exclude<LaunchOutcome, { type: "launched" }>,
  { name, line }: { name: string; line: string },
): ProbeResult {
  if (outcome.type === "failed") return { ok: false, reason: outcome.reason };
  if (outcome.code === 0) return { ok: true };
  const end = outcome.signal === null ? `ended with ${outcome.code}` : `was ended by ${outcome.signal}`;
  return { ok: false, reason: line === "" ? `${name} ${end}` : `${name} ${end}: ${line}` };
}

/** Keeps the end of what is written. */
function outputTail(): { write(chunk: Uint8Array): void; lastLine(): string } {
  let tail = new Uint8Array(0);
  return {
    write(chunk) {
      const kept = tail.subarray(Math.max(0, tail.length + chunk.length - TAIL_BYTES_MAX));
      const added = chunk.subarray(Math.max(0, chunk.length - TAIL_BYTES_MAX));
      const next = new Uint8Array(kept.length + added.length);
      next.set(kept);
      next.set(added, kept.length);
      tail = next;
    },
    lastLine() {
      const lines = new TextDecoder().decode(tail).split("\n");
      const line = lines.map(printable).findLast((text) => text !== "") ?? "";
      return line.length > LINE_LENGTH_MAX ? `${line.slice(0, LINE_LENGTH_MAX)}…` : line;
    },
  };
}

/** Without colours and other control characters, which have no place in a reason. */
function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replace(/\u001B\[[0-9;]*[A-Za-z]|\p{Cc}/gu, "").trim();
}
