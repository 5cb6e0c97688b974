// How what is to be kept becomes text, the same for every store: JSON for values, names that have a UTF-8, and what an entry says of an
// open execution. Throws `UsageError` for what could not be kept as it is.
import { UsageError } from "../errors.ts";
import { partsOf } from "./key.ts";

/** What begins the keys of open executions. */
export const OPEN = "open/";

export function storedText(value: unknown): string {
  const json: string | undefined = JSON.stringify(value);
  if (json === undefined) throw new UsageError("cannot write undefined to the store: it is no JSON");
  return json;
}

/** Half a surrogate pair has no UTF-8: two such names would be kept as one. */
export function refuseIllFormed(names: readonly string[]): void {
  const name = names.find((one) => !one.isWellFormed());
  if (name !== undefined)
    throw new UsageError(`cannot write to the store: ${JSON.stringify(name)} is no valid Unicode`);
}

/** The execution that is open while this entry is there, if it is such an entry. */
export function executionOf(key: string): string | undefined {
  return key.startsWith(OPEN) ? (partsOf(key)[1] ?? "") : undefined;
}

/** What the entry of an open execution says that carries it out; empty when it does not. */
export function definitionOf(value: unknown): string {
  const { definition } = (value ?? {}) as { definition?: unknown };
  return typeof definition === "string" ? definition : "";
}
