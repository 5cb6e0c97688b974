// What is left of records that are no longer kept: the state that they come to, beside the log that goes on from there. It is made by the
// same fold, a piece at a time, and each piece goes into one commit with how far it has come. So base and log together always say
// what the log alone did.
//
//   base        {throughSeq}: folded are all records up to this one; it or those before it may still be in the log
//   base/KEY    {value, version, expiresAtMs?} of the entry KEY as it was then
import type { Json } from "./json.ts";
import { keyOf, partsOf } from "./key.ts";
import { isPlaneEvent } from "./plane-event.ts";
import { changesOf, type FoldedEntry, sessionKey } from "./plane-fold.ts";

export const BASE = keyOf("base");
export const BASES = `${BASE}/`;
const baseKey = (key: string): string => keyOf("base", key);

interface Logged {
  seq: number;
  type: string;
  session?: string;
  payload: Json;
}

/** Of the entry `BASE`; 0: everything that was ever appended is still in the log. */
export function throughSeqOf(entry: { value: Json } | undefined): number {
  const { throughSeq } = (entry?.value ?? {}) as { throughSeq?: number };
  return throughSeq ?? 0;
}

/** The entries under these keys have to be known for folding `records` into the base. */
export function keysNeededBy(records: readonly Logged[]): string[] {
  const sessions = records
    .filter(isPlaneEvent)
    .flatMap((record) => ("session" in record ? record.session : []));
  return [...new Set(sessions)].map((session) => baseKey(sessionKey(session)));
}

/** What to write of the base once `records` are folded into it; `present` is what was asked for by `keysNeededBy`. */
export function baseAfter(
  records: readonly Logged[],
  present: readonly ({ key: string; value: Json } | undefined)[],
): { put: { key: string; value: Json }[]; remove: string[] } {
  const known = new Map<string, FoldedEntry | undefined>(
    present.flatMap((entry) => (entry ? [foldedOf(entry)] : [])),
  );
  const touched = new Set<string>();
  for (const event of records.filter(isPlaneEvent)) {
    const { put, remove } = changesOf(event, (key) => known.get(key)?.value);
    for (const { key, ...entry } of put) known.set(key, entry);
    for (const key of remove) known.set(key, undefined);
    for (const key of [...put.map((entry) => entry.key), ...remove]) touched.add(key);
  }
  const result: ReturnType<typeof baseAfter> = { put: [], remove: [] };
  for (const key of touched) {
    const entry = known.get(key);
    if (entry) result.put.push({ key: baseKey(key), value: entry as unknown as Json });
    else result.remove.push(baseKey(key));
  }
  return result;
}

/** The state that is left of records that are no longer kept, from the entries under `BASES`, to be folded on. */
export function foldedBase(entries: Iterable<{ key: string; value: Json }>): Map<string, FoldedEntry> {
  return new Map([...entries].map(foldedOf));
}

const foldedOf = ({ key, value }: { key: string; value: Json }): [string, FoldedEntry] => [
  partsOf(key)[1] ?? "",
  value as unknown as FoldedEntry,
];
