// Values as they are once they have been through the log: what JSON keeps of them, and unchangeable, so that no function can make
// what is in memory differ from what is written.
import type { Json } from "../core/json.ts";

/** Deeper than that nobody nests by hand, and some readers give up. */
const NESTING_MAX = 64;

/**
 * `undefined`: there is nothing to keep. Throws `TypeError` for what JSON cannot hold: a cycle, a BigInt, too deep a nesting; and for what
 * takes more than `bytesMax` as UTF-8. Default: whatever it takes.
 */
export function storedJson(value: unknown, { bytesMax = Infinity } = {}): Json | undefined {
  const isText = typeof value === "string";
  if (value === null || typeof value === "boolean") return value;
  const text: string | undefined = isText ? value : JSON.stringify(value);
  if (text === undefined) return undefined;
  if (isLonger(text, bytesMax)) throw new TypeError(`it has more than ${bytesMax} bytes`);
  return isText ? value : frozen(JSON.parse(text) as Json);
}

/** Counts only where that matters: a unit of UTF-16 is one byte to three. */
function isLonger(text: string, bytesMax: number): boolean {
  if (text.length * 3 <= bytesMax) return false;
  return text.length > bytesMax || new TextEncoder().encode(text).length > bytesMax;
}

/** The same value, frozen all through. Throws `TypeError` when it is nested too deep. */
export function frozen<T extends Json>(value: T, depth = 0): T {
  if (typeof value !== "object" || value === null) return value;
  if (depth >= NESTING_MAX) throw new TypeError(`it is nested deeper than ${NESTING_MAX}`);
  for (const inner of Object.values(value as object)) frozen(inner as Json, depth + 1);
  return Object.freeze(value);
}
