// W5, over every embedded store: whatever was done, by whom and how often at once, folding the log gives what the commits wrote, and
// gives it every time.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import fc from "fast-check";
import { canonicalJson } from "../../src/core/canonical-json.ts";
import { BASE, BASES, foldedBase, throughSeqOf } from "../../src/core/plane-base.ts";
import { type FoldedEntry, foldRecord, isDerived, stateText } from "../../src/core/plane-fold.ts";
import type { Entry, LogRecord, Store } from "../../src/ports/store.ts";
import { history, play, TENANT } from "./history.ts";
import { type MakePlane, MINUTE_MS, PLANES } from "./rig.ts";

/** What the log comes to, on top of what is kept of its beginning. */
function fold(log: readonly LogRecord[], stored: readonly Entry[] = []): Map<string, FoldedEntry> {
  const entries = foldedBase(stored.filter(({ key }) => key.startsWith(BASES)));
  const through = throughSeqOf(stored.find(({ key }) => key === BASE));
  for (const record of log) if (record.seq > through) foldRecord(entries, record);
  return entries;
}

const textOf = (entries: ReadonlyMap<string, FoldedEntry>, atMs: number): string =>
  stateText(
    [...entries].map(([key, entry]) => ({ key, ...entry })),
    { atMs },
  );

/** By the store's clock, which goes on when somebody sets the other one back. */
async function timeOf(store: Store): Promise<number> {
  const result = await store.commit(TENANT, {});
  assert.ok(result.ok);
  return result.timeMs;
}

const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex");

function foldContract(make: MakePlane, runs: number): void {
  test("W5: the fold of the log is what is stored, and the same every time", async () => {
    await fc.assert(
      fc.asyncProperty(history, async (rounds) => {
        await using rig = await make();
        const { engine, executions, submitted } = await play(rig, rounds);
        const atMs = await timeOf(rig.store);
        const log = JSON.parse(JSON.stringify(await rig.log(TENANT)));
        const entries = await rig.entries(TENANT);
        const stored = stateText(entries, { atMs });
        assert.equal(textOf(fold(log, entries), atMs), stored);
        assert.equal(hashOf(textOf(fold(log, entries), atMs)), hashOf(stored));
        for (const [at, { seq }] of log.entries()) assert.equal(seq, log[0].seq + at);
        const isKept = ({ execution, type }: LogRecord, id: string) =>
          execution === id && type === "intent_received";
        for (const id of submitted) {
          if (!(log as LogRecord[]).some((record) => isKept(record, id))) continue;
          const folded = (await engine.read(TENANT, id))?.view();
          assert.deepEqual({ ...(await executions.get(id)), updatedAtMs: 0 }, { ...folded, updatedAtMs: 0 });
        }
        const isOpen = ({ key }: Entry) => key.startsWith("open/");
        for (const { key } of entries.filter(isOpen))
          assert.ok((log as LogRecord[]).some((record) => isKept(record, key.slice("open/".length))));
        engine.lost(new Error("the history is over"));
      }),
      { numRuns: runs },
    );
  });

  test("W5: versions that go on after removal and expiry are those in the log", async () => {
    await using rig = await make();
    rig.plane.start();
    const { state } = rig.plane.tenant("t");
    for (let round = 0; round < 3; round++) {
      await state.put("ns", "k", { value: round, ttlMs: MINUTE_MS });
      await rig.clock.advance(2 * MINUTE_MS);
      await state.put("ns", "k", { value: round });
      await state.delete("ns", "k");
    }
    await state.put("ns", "k", { value: "last" });
    assert.deepEqual(fold(await rig.log("t")).get("state/ns/k"), { value: "last", version: 7 });
    assert.equal((await state.get("ns", "k"))?.version, 7);
  });

  test("what the log does not say is what is declared so, and opens nothing", async () => {
    await using rig = await make();
    const { id } = await rig.plane.tenant("t").sessions.create({ user: "u" });
    await rig.plane.tenant("t").sessions.rotate(id);
    const folded = fold(await rig.log("t"));
    const missing = (await rig.entries("t")).filter(({ key }) => !folded.has(key));
    assert.equal(missing.length, 2);
    assert.ok(missing.every(({ key }) => !isDerived(key) && key.startsWith("token/")));
  });
}

for (const [driver, make] of PLANES)
  describe(`${driver}: the fold`, () => foldContract(make, driver === "memory" ? 60 : 10));

test("one state is one text, whatever order its keys and entries came in", () => {
  const a = { key: "state/a", value: { x: 1, y: [{ b: 1, a: 2 }] }, version: 1 };
  const b = { key: "state/b", value: null, version: 2, expiresAtMs: 10 };
  const turned = { version: 1, value: { y: [{ a: 2, b: 1 }], x: 1 }, key: "state/a" };
  const text = stateText([a, b], { atMs: 9 });
  assert.equal(stateText([b, turned], { atMs: 9 }), text);
  assert.equal(text.split("\n").length, 3);
  assert.equal(stateText([a, b], { atMs: 10 }), stateText([a], { atMs: 0 }));
  for (const other of [
    { ...a, version: 2 },
    { ...a, value: { x: 1, y: [{ a: 2, b: "1" }] } },
    { ...a, key: "state/A" },
    { ...a, expiresAtMs: 99 },
  ])
    assert.notEqual(stateText([other, b], { atMs: 9 }), text);
  assert.equal(
    stateText([a, { key: "token/x", value: { hash: "h" }, version: 1 }], { atMs: 0 }),
    stateText([a], { atMs: 0 }),
  );
  assert.equal(canonicalJson({ b: 1, a: { d: 1, c: 2 } }), '{"a":{"c":2,"d":1},"b":1}');
});

test("records of others are folded by who knows them, and passed over by who does not", () => {
  const entries = new Map<string, FoldedEntry>();
  const record = { type: "execution_started", payload: { version: 1 } };
  foldRecord(entries, record);
  assert.equal(entries.size, 0);
  foldRecord(entries, record, ({ type, payload }) => ({
    put: [{ key: "execution/1", value: { type, payload }, version: 1 }],
    remove: [],
  }));
  assert.equal(entries.get("execution/1")?.version, 1);
});

test("a log in which a session changes that never was is refused", () => {
  const record = { type: "session_closed", session: "session_x", payload: { version: 1 } };
  assert.throws(
    () => foldRecord(new Map(), record),
    /internal: session_closed of session_x, which is not there/,
  );
});
