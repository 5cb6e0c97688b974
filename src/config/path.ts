// Where something stands in the config: the steps from the root, and how they are written in a message. Reads plain values
// only; it knows nothing about files.

export type Path = readonly (string | number)[];

/** A map of the config before its shape is known. */
export type RawMap = Record<string, unknown>;

/** `services.api.command[0]`. */
export function formatPath(path: Path): string {
  return path
    .map((step, index) => (typeof step === "number" ? `[${step}]` : index === 0 ? step : `.${step}`))
    .join("");
}

export function isMap(value: unknown): value is RawMap {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value at a path, or `undefined`. */
export function lookup(value: unknown, path: Path): unknown {
  let current = value;
  for (const step of path) {
    if (typeof current !== "object" || current === null || !Object.hasOwn(current, step)) return undefined;
    current = (current as Record<string | number, unknown>)[step];
  }
  return current;
}
