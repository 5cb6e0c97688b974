// How far a tenant's log has come, and what time it is there: a commit of nothing says both, which every driver answers from its own
// clock and writes nothing for.
import type { Store } from "./store.ts";

export interface Head {
  /** By the store's clock, in milliseconds since the Unix epoch. */
  timeMs: number;
  /** Of the last record that is there by now; 0: there is none. */
  lastSeq: number;
}

/** Rejects as `commit` does. */
export async function headOf(store: Pick<Store, "commit">, tenant: string): Promise<Head> {
  const result = await store.commit(tenant, {});
  if (!result.ok) throw new Error(`internal: an empty commit is refused: ${result.reason}`);
  return { timeMs: result.timeMs, lastSeq: result.firstSeq - 1 };
}
