// Compare-and-set under contention: many clients write one key at once, each noting when it asked and what it was told, and the
// history must be one that could have happened one after the other (S1). It is no general checker: with versions that only grow,
// each answer bounds when it was true.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Entry } from "../../src/ports/store.ts";
import type { MakeStore } from "./store-tools.ts";

export interface Operation {
  /** On one scale for all clients: any two events differ. */
  invoked: number;
  returned: number;
  wrote: boolean;
  /** The version it made, or the one it was told is there. */
  version: number;
}

const CLIENTS = 16;
const WRITES_EACH = 25;

export function casContract(make: MakeStore): void {
  test("compare-and-set is linearizable, and no update is lost", async () => {
    await using rig = await make();
    const { store } = rig;
    const history: Operation[] = [];
    let moment = 0;
    const client = async (name: number): Promise<void> => {
      let seen = { version: 0, count: 0 };
      for (let wrote = 0; wrote < WRITES_EACH;) {
        const invoked = moment++;
        const result = await store.commit("t", {
          expect: [{ key: "count", version: seen.version }],
          put: [{ key: "count", value: { count: seen.count + 1, name } }],
        });
        const version = result.ok ? result.versions[0] : result.reason === "conflict" ? result.version : -1;
        history.push({ invoked, returned: moment++, wrote: result.ok, version: version ?? -1 });
        if (result.ok) wrote++;
        const [entry] = await store.get("t", ["count"]);
        const count = countOf(entry);
        seen = { version: entry?.version ?? 0, count };
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, (_, name) => client(name)));
    const [entry] = await store.get("t", ["count"]);
    const total = CLIENTS * WRITES_EACH;
    assert.deepEqual([entry?.version, countOf(entry)], [total, total]);
    assert.deepEqual(contradictions(history), []);
  });

  test("the checker knows a history that cannot have been", () => {
    const write = { invoked: 0, returned: 1, wrote: true, version: 1 };
    const stale = { invoked: 2, returned: 3, wrote: false, version: 0 };
    const again = { invoked: 2, returned: 3, wrote: true, version: 1 };
    const early = { invoked: 0, returned: 1, wrote: false, version: 1 };
    assert.equal(contradictions([write, stale]).length, 1);
    assert.equal(contradictions([write, again]).length, 2);
    assert.equal(contradictions([early, { ...write, invoked: 2, returned: 3 }]).length, 1);
  });
}

const countOf = (entry: Entry | undefined): number =>
  (entry?.value as { count?: number } | undefined)?.count ?? 0;

/** What is wrong with it; empty if it is linearizable. */
export function contradictions(history: readonly Operation[]): string[] {
  const found: string[] = [];
  const writes = history.filter(({ wrote }) => wrote).toSorted((a, b) => a.version - b.version);
  for (const [index, { version }] of writes.entries())
    if (version !== index + 1) found.push(`write ${index + 1} made version ${version}`);
  for (const operation of history) {
    const { invoked, returned, version } = operation;
    const wroteBefore = writes.filter((write) => write.returned < invoked).map((write) => write.version);
    const oldest = Math.max(0, ...wroteBefore) + (operation.wrote ? 1 : 0);
    if (version < oldest)
      found.push(`version ${version} was seen after ${oldest} was there: ${JSON.stringify(operation)}`);
    const made = writes.find((write) => write.version === version);
    if (made && made.invoked > returned)
      found.push(`version ${version} was seen before it was asked for: ${JSON.stringify(operation)}`);
  }
  return found;
}
