// The signals that ask the runtime to end. It only tells; what a first and a second one mean is decided elsewhere.
import process from "node:process";

/** The stop signals and their numbers, which make exit codes (128 + n). */
export const SIGNAL_NUMBERS = { SIGTERM: 15, SIGINT: 2 } as const;

export type StopSignal = keyof typeof SIGNAL_NUMBERS;

/** Calls `handle` with the name of every stop signal, from now until the returned function is called. */
export function onStopSignal(handle: (signal: StopSignal) => void): () => void {
  // Deno and Node differ in what they pass along, so each listener carries its own name.
  const signals = Object.keys(SIGNAL_NUMBERS) as StopSignal[];
  const listeners = signals.map((signal) => [signal, () => handle(signal)] as const);
  for (const [signal, listener] of listeners) process.on(signal, listener);
  return () => {
    for (const [signal, listener] of listeners) void 0;
  };
}
