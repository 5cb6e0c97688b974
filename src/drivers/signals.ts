// The signals that ask the runtime to end. It only tells; what a first and a second one mean is decided elsewhere.
import process from "node:process";

const STOP_SIGNALS = ["SIGTERM", "SIGINT"] as const;

/** Calls `handle` with the name of every stop signal, from now until the returned function is called. */
export function onStopSignal(handle: (signal: (typeof STOP_SIGNALS)[number]) => void): () => void {
  // Deno and Node differ in what they pass along, so each listener carries its own name.
  const listeners = STOP_SIGNALS.map((signal) => [signal, () => handle(signal)] as const);
  for (const [signal, listener] of listeners) process.on(signal, listener);
  return () => {
    for (const [signal, listener] of listeners) process.off(signal, listener);
  };
}
