// The gate of a runtime with a plane: behind it steps of executions count as in flight, too. With the requests those under way are
// finished, and no further one begins.
import type { Gate } from "../ports/gate.ts";

/** `stopSteps` is called once, when requests are refused; it resolves when no step is under way any more. */
export function withSteps(gate: Gate, stopSteps: (signal: AbortSignal) => Promise<unknown>): Gate {
  const cut = new AbortController();
  let stopping: Promise<unknown> = Promise.resolve();
  let isStopped = true;
  return {
    drain: () => gate.drain(),
    refuse() {
      gate.refuse();
      isStopped = false;
      // What goes wrong there is said by the part that stops them, too; here it only means that there is nothing to wait for.
      stopping = stopSteps(cut.signal)
        .catch(() => {})
        .finally(() => (isStopped = true));
    },
    probers: () => gate.probers(),
    onAsked: (listener) => gate.onAsked(listener),
    inFlight: () => gate.inFlight(),
    async whenEmpty(signal) {
      signal.addEventListener("abort", () => cut.abort(), { once: true });
      await gate.whenEmpty(signal);
      await stopping;
    },
    inside: () => [...gate.inside(), ...(isStopped ? [] : ["steps of executions"])],
    close: () => gate.close(),
  };
}
