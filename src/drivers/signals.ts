// The signals the runtime listens to: those that ask it to end, the one that asks it to read its config again, and those it hands
// on. It only tells; what they mean is decided elsewhere. SIGPIPE needs no listener: Bun, Deno and Node all ignore it, and give
// their children its default back.
import process from "node:process";

const STOP_SIGNALS = ["SIGTERM", "SIGINT"] as const;

/** Calls `handle` with the name of every stop signal, from now until the returned function is called. */
export function onStopSignal(handle: (signal: (typeof STOP_SIGNALS)[number]) => void): () => void {
  return onSignals(STOP_SIGNALS, handle);
}

/** Calls `handle` at every SIGHUP; without a listener it would end the runtime. */
export function onReloadSignal(handle: () => void): () => void {
  return onSignals(["SIGHUP"], handle);
}

/**
 * Calls `handle` with the name of each of `signals` that comes, from now until the returned function is called. Nothing is kept
 * alive by it. Not for SIGKILL and SIGSTOP, which nobody can listen to: what happens then differs between the runtimes.
 */
export function onSignals<Name extends string>(
  signals: readonly Name[],
  handle: (signal: Name) => void,
): () => void {
  // Deno and Node differ in what they pass along, so each listener carries its own name.
  const listeners = [...new Set(signals)].map((signal) => [signal, () => handle(signal)] as const);
  for (const [signal, listener] of listeners) process.on(signal, listener);
  return () => {
    for (const [signal, listener] of listeners) process.off(signal, listener);
  };
}
