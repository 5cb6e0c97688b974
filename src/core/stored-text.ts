// How what is to be kept becomes text, the same for every store: JSON for values, and names that have a UTF-8. Throws `UsageError` for
// what could not be kept as it is.
import { UsageError } from "../errors.ts";

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
