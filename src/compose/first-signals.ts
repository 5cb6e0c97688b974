// What signals do to a `run` of which nothing listens yet. `main` imports this before anything else, since reading the program takes
// longer than reaching here, and as PID 1 a signal to which nobody listens is lost: the container would wait for its whole grace
// period. It stops nothing: until `handOver` there is nothing to stop.
import process from "node:process";
import { exitCodeOf } from "../core/exit.ts";

/** The verbs that become the runtime. Others start nothing, and end at a signal as programs do. */
const VERBS: readonly (string | undefined)[] = ["run", "up", "dev"];
/** They would end the runtime, and leave its services behind. */
const HARMLESS = ["SIGHUP", "SIGUSR1", "SIGUSR2", "SIGALRM"] as const;
const STOPPING = ["SIGTERM", "SIGINT", "SIGQUIT"] as const;

const listeners = STOPPING.map(
  (signal) => [signal, () => process.exit(exitCodeOf({ code: null, signal }))] as const,
);

if (VERBS.includes(process.argv[2])) {
  for (const signal of HARMLESS) process.on(signal, () => {});
  for (const [signal, listener] of listeners) process.on(signal, listener);
}

/** Somebody else listens to the stop signals from now on. The others stay harmless. */
export function handOver(): void {
  for (const [signal, listener] of listeners) process.off(signal, listener);
}
