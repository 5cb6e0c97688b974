// Values as they are once they have been through the log: what JSON keeps of them, and unchangeable, so that no function can make
// what is in memory differ from what is written.
import type { Json } from "../ports/store.ts";

/** Deeper than that nobody nests by hand, and some readers give up. */
const NESTING_MAX = 64;

/** `undefined`: there is nothing to keep. Throws `TypeError` for what JSON cannot hold: a cycle, a BigInt, too deep a nesting. */
export function storedJson(value: unknown): Json | undefined {
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  const text: string | undefined = JSON.stringify(value);
  return text === undefined ? undefined : frozen(JSON.parse(text) as Json);
}

/** The same value, frozen all through. Throws `TypeError` when it is nested too deep. */
export function frozen<T extends Json>(value: T, depth = 0): T {
  if (typeof value !== "object" || value === null) return value;
  if (depth >= NESTING_MAX) throw new TypeError(`it is nested deeper than ${NESTING_MAX}`);
  for (const inner of Object.values(value as object)) frozen(inner as Json, depth + 1);
  return Object.freeze(value);
}
