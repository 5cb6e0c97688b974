// The end that nobody planned: code in this process calls `process.exit` while services run. They would go on without anybody to
// stop them, so they are killed on the way out, synchronously, and that is said. Modules lose their `shutdown()`.
import process from "node:process";
import { isAlive } from "../core/service-state.ts";
import type { Supervisor } from "../runtime/supervisor.ts";
import { tellNow } from "./stderr.ts";

/** From now on no process service outlives this process, however it exits, and `lastWords` are called first. */
export function killAtExit(supervisor: Supervisor, lastWords: () => void): void {
  process.on("exit", (code) => {
    const running = runningProcesses(supervisor);
    for (const { pid } of running) killGroup(pid);
    if (supervisor.state === "uninitialized" || supervisor.state === "destroyed") return;
    lastWords();
    const where = callerOfExit();
    const why = where === undefined ? "" : `, by process.exit at ${where}`;
    const killed = running.map(({ name }) => `'${name}'`).join(", ");
    const fate = killed === "" ? "" : `; killed ${killed}`;
    tellNow(`haraka: the process ended with ${code} before anything was stopped in order${why}${fate}\n`);
  });
}

function runningProcesses({ fleet }: Supervisor): { name: string; pid: number }[] {
  return fleet.members.flatMap(({ planned, pid, state }) => {
    // Until it is launched the pid is its predecessor's.
    const isThere = isAlive(state) && (state.name !== "starting" || state.launched);
    return isThere && pid !== undefined ? [{ name: planned.spec.name, pid }] : [];
  });
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Gone already.
  }
}

/** `FILE:LINE:COLUMN`, where the runtime tells: its listeners run below the call. */
function callerOfExit(): string | undefined {
  const [, caller = ""] = /\n\s+at (?:process\.)?exit \(.*\)\n\s+at (.*)/.exec(new Error().stack ?? "") ?? [];
  return /(?:file:\/\/)?([^\s(]+:\d+:\d+)/.exec(caller)?.[1];
}
