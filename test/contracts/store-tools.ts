// What the parts of the store's contract share: the store that is tried, records to write, and a commit that has to succeed.
import assert from "node:assert/strict";
import type { CommitResult, NewRecord, Ownerships, Store } from "../../src/ports/store.ts";

export interface StoreRig extends AsyncDisposable {
  store: Store & Ownerships;
  /** Lets that much time pass on the store's clock. */
  turn(ms: number): Promise<void>;
}

export type MakeStore = () => Promise<StoreRig>;

let made = 0;

export function record(execution?: string, payload: NewRecord["payload"] = {}): NewRecord {
  return {
    id: `event_${++made}`,
    type: "state_written",
    payload,
    ...(execution !== undefined && { execution }),
  };
}

/** What it did, for a commit that has to succeed. */
export async function done(result: Promise<CommitResult>): Promise<CommitResult & { ok: true }> {
  const settled = await result;
  assert.ok(settled.ok, JSON.stringify(settled));
  return settled;
}
