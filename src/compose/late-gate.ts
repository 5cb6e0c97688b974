// A gate with something around it that is there only later: what is to be in front of it, or behind it, is asked for when the
// shutdown first uses it.
import type { Gate } from "../ports/gate.ts";

export function lateGate(gate: Gate, around: (gate: Gate) => Gate): Gate {
  let made: Gate | undefined;
  const now = (): Gate => (made ??= around(gate));
  return {
    leave: () => now().leave?.(),
    drain: () => now().drain(),
    refuse: () => now().refuse(),
    probers: () => now().probers(),
    onAsked: (listener) => now().onAsked(listener),
    inFlight: () => now().inFlight(),
    whenEmpty: (signal) => now().whenEmpty(signal),
    inside: () => now().inside(),
    close: () => now().close(),
  };
}
