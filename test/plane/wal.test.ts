// Reading the log, over every embedded store: filters before limits, pages that lead on, sequence numbers without gaps, and tails
// that miss nothing, whatever happens between their reading and their waiting.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { embeddedStore } from "../../src/drivers/store-embedded.ts";
import { memoryEngine } from "../../src/drivers/store-memory.ts";
import type { Wal, WalFilter } from "../../src/ports/plane.ts";
import type { LogRecord, Store } from "../../src/ports/store.ts";
import { bound, type MakePlane, PLANES, rejects, take } from "./rig.ts";

for (const [name, make] of PLANES) {
  describe(`${name}: pages of the log`, () => pagesOf(make));
  describe(`${name}: tails of the log`, () => tailsOf(make));
}

/** All of it, page by page. */
async function readAll(
  wal: Wal,
  query: WalFilter & { limit?: number } = {},
): Promise<{ records: LogRecord[]; pages: number }> {
  const records: LogRecord[] = [];
  for (let [after, pages] = [0, 1]; ; pages++) {
    const { items, cursor } = await wal.read({ ...query, after });
    assert.ok(items.length <= (query.limit ?? 100));
    records.push(...items);
    if (cursor === undefined) return { records, pages };
    after = Number(cursor);
  }
}

function pagesOf(make: MakePlane): void {
  test("W7: sequence numbers have no gaps for each tenant, however many write at once", async () => {
    await using rig = await make();
    const planes = [rig.plane, rig.other()];
    await Promise.all(
      Array.from({ length: 120 }, async (_, index) => {
        const { state, sessions } = (planes[index % 2] ?? rig.plane).tenant(index % 3 ? "a:b" : "a");
        if (index % 5) await state.put("ns", `k${index % 7}`, { value: index });
        else await sessions.touch((await sessions.create({ user: "u" })).id);
      }),
    );
    let count = 0;
    for (const tenant of ["a", "a:b"]) {
      const { records } = await readAll(rig.plane.tenant(tenant).wal, { limit: 13 });
      count += records.length;
      assert.deepEqual(
        records.map(({ seq }) => seq),
        records.map((_, index) => index + 1),
      );
      assert.deepEqual(new Set(records.map((record) => record.tenant)), new Set([tenant]));
    }
    assert.equal(count, 120 + 24);
  });

  test("W6: a filter applies before the limit", async () => {
    await using rig = await make();
    const { state, sessions, wal } = rig.plane.tenant("t");
    const ids: string[] = [];
    for (let index = 0; index < 5; index++) {
      for (let filler = 0; filler < 30; filler++) await state.put("ns", "k", { value: filler });
      ids.push((await sessions.create({ user: "u" })).id);
    }
    await sessions.touch(ids[3] ?? "");
    const created = { types: ["session_created"] } as const;
    const { items, cursor } = await wal.read({ ...created, limit: 3 });
    assert.deepEqual(
      items.map(({ session }) => session),
      ids.slice(0, 3),
    );
    const rest = await wal.read({ ...created, limit: 3, after: Number(cursor) });
    assert.deepEqual(
      rest.items.map(({ session }) => session),
      ids.slice(3),
    );
    const ofOne = await readAll(wal, { session: ids[3] ?? "", limit: 1 });
    assert.deepEqual(
      ofOne.records.map(({ type }) => type),
      ["session_created", "session_updated"],
    );
    const both = await readAll(wal, { ...created, session: ids[3] ?? "" });
    assert.equal(both.records.length, 1);
    assert.equal((await readAll(wal, { types: ["session_created", "state_written"] })).records.length, 155);
    assert.deepEqual(await wal.read({ types: ["saga_parked"] }), { items: [] });
    assert.deepEqual(await wal.read({ types: [] }), { items: [] });
    assert.deepEqual(await wal.read({ session: "session_unknown" }), { items: [] });
  });

  test("W6: those of an execution are found by its index, other filters and pages with it", async () => {
    await using rig = await make();
    const { wal } = rig.plane.tenant("t");
    for (let index = 0; index < 300; index++)
      await rig.store.commit("t", {
        append: [
          {
            id: `event_${index}`,
            type: index % 2 ? "step_started" : "step_completed",
            execution: `execution_${index % 3}`,
            payload: index,
          },
        ],
      });
    const query = { execution: "execution_1", types: ["step_started"] } as const;
    const { records } = await readAll(wal, { ...query, limit: 7 });
    assert.deepEqual(
      records.map(({ payload }) => payload),
      Array.from({ length: 300 }, (_, index) => index).filter((index) => index % 3 === 1 && index % 2),
    );
    const { signal } = new AbortController();
    assert.deepEqual(
      await take(wal.tail({ ...query, after: 100, signal }), records.length - 17),
      records.slice(17),
    );
  });

  test("W6: a rare record in a long log is found over short pages, and timers have their turn between", async () => {
    await using rig = await make();
    for (let batch = 0; batch < 100; batch++)
      await rig.store.commit("t", {
        append: Array.from({ length: 250 }, (_, index) => ({
          id: `event_${batch}_${index}`,
          type: "state_written" as const,
          payload: {},
        })),
      });
    const { wal, sessions } = rig.plane.tenant("t");
    const { id } = await sessions.create({ user: "u" });
    let turns = 0;
    const timer = setInterval(() => turns++);
    const { records, pages } = await readAll(wal, { types: ["session_created"] });
    clearInterval(timer);
    assert.deepEqual(
      records.map(({ session }) => session),
      [id],
    );
    assert.equal(pages, 3);
    assert.ok(turns > 0);
  });

  test("a page says where to go on exactly while there is more", async () => {
    await using rig = await make();
    const { state, wal } = rig.plane.tenant("t");
    assert.deepEqual(await wal.read(), { items: [] });
    for (let index = 1; index <= 130; index++) await state.put("ns", "k", { value: index });
    for (const limit of [1, 10, 63, 64, 65, 129, 130, 131]) {
      const { records, pages } = await readAll(wal, { limit });
      assert.equal(records.length, 130);
      assert.equal(pages, Math.ceil(130 / limit));
    }
    assert.deepEqual(await wal.read({ after: 130 }), { items: [] });
    assert.deepEqual(await wal.read({ after: 1_000_000 }), { items: [] });
    for (const bad of [{ after: -1 }, { after: 0.5 }, { after: Number.NaN }, { limit: 0 }, { limit: 1.5 }])
      await rejects(wal.read(bad), "invalid");
  });
}

function tailsOf(make: MakePlane): void {
  test("a tail has what is there and everything that comes, from where it was asked to", async () => {
    await using rig = await make();
    const { state, wal } = rig.plane.tenant("t");
    for (let value = 0; value < 200; value++) await state.put("ns", "k", { value });
    const abort = new AbortController();
    const seen: number[] = [];
    const tail = (async () => {
      for await (const { seq } of wal.tail({ after: 50, signal: abort.signal }))
        if (seen.push(seq) === 250) abort.abort();
    })();
    for (let value = 0; value < 100; value++) await rig.other().tenant("t").state.put("ns", "k", { value });
    await tail;
    assert.deepEqual(
      seen,
      Array.from({ length: 250 }, (_, index) => index + 51),
    );
  });

  test("what is appended between reading and waiting wakes the tail", async () => {
    await using rig = await make();
    let appended = 0;
    const plane = rig.other({
      wrap: (store) => ({
        ...bound(store),
        log: async (tenant, query) => {
          const records = await store.log(tenant, query);
          // It is read that there is nothing; before that is heard, something comes.
          if (records.length === 0 && appended < 5) {
            const { promise, resolve } = Promise.withResolvers<void>();
            const stop = store.watch(tenant, resolve);
            await rig.plane.tenant("t").state.put("ns", "k", { value: appended++ });
            await promise;
            stop();
          }
          return records;
        },
      }),
    });
    const { signal } = new AbortController();
    const records = await take(plane.tenant("t").wal.tail({ signal }), 5);
    assert.deepEqual(
      records.map(({ seq }) => seq),
      [1, 2, 3, 4, 5],
    );
  });

  test("a tail that comes while another's read is under way does not take what is older than the last append", async () => {
    await using rig = await make();
    const [read, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let reads = 0;
    const plane = rig.other({
      wrap: (store) => ({
        ...bound(store),
        log: async (tenant, query) => {
          const records = await store.log(tenant, query);
          if (++reads > 1) return records;
          read.resolve();
          await release.promise;
          return records;
        },
      }),
    });
    const { wal } = plane.tenant("t");
    const { signal } = new AbortController();
    const first = take(wal.tail({ signal }), 1);
    await read.promise;
    const { promise: hinted, resolve } = Promise.withResolvers<void>();
    rig.store.watch("t", () => setImmediate(resolve));
    await rig.plane.tenant("t").state.put("ns", "k", { value: 1 });
    await hinted;
    assert.equal((await take(wal.tail({ signal }), 1)).length, 1);
    release.resolve();
    assert.equal((await first).length, 1);
  });

  test("many tails of one log read it once, and each sees all of it", async () => {
    await using rig = await make();
    let reads = 0;
    const plane = rig.other({
      wrap: (store) => ({
        ...bound(store),
        log: (tenant, query) => {
          reads++;
          return store.log(tenant, query);
        },
      }),
    });
    const { wal } = plane.tenant("t");
    const { signal } = new AbortController();
    const tails = Array.from({ length: 50 }, () => take(wal.tail({ signal }), 20));
    for (let value = 0; value < 20; value++) await rig.plane.tenant("t").state.put("ns", "k", { value });
    for (const records of await Promise.all(tails))
      assert.deepEqual(
        records.map(({ seq }) => seq),
        Array.from({ length: 20 }, (_, index) => index + 1),
      );
    assert.ok(reads <= 50, `${reads} reads`);
  });

  test("a tail ends with its signal: before it begins, while it waits, and in the middle of what is there", async () => {
    await using rig = await make();
    let watched = 0;
    const wrap = (store: Store): Store => ({
      ...bound(store),
      watch: (tenant, onAppended) => {
        watched++;
        const stop = store.watch(tenant, onAppended);
        return () => {
          watched--;
          stop();
        };
      },
    });
    const { wal, state } = rig.other({ wrap }).tenant("t");
    assert.deepEqual(await take(wal.tail({ signal: AbortSignal.abort() }), 1), []);
    const waiting = new AbortController();
    const waits = take(wal.tail({ signal: waiting.signal }), 1);
    await new Promise((turn) => setImmediate(turn));
    waiting.abort();
    assert.deepEqual(await waits, []);
    for (let value = 0; value < 5; value++) await state.put("ns", "k", { value });
    const abort = new AbortController();
    let seen = 0;
    for await (const _ of wal.tail({ signal: abort.signal })) if (++seen === 2) abort.abort();
    assert.equal(seen, 2);
    assert.equal((await take(wal.tail({ signal: new AbortController().signal }), 3)).length, 3);
    assert.equal(watched, 0);
    for (const after of [-1, 0.5])
      assert.throws(() => wal.tail({ after, signal: AbortSignal.abort() }), /cannot read the log/);
  });

  test("a tail rejects when the store is closed under it", async () => {
    await using rig = await make();
    const { wal } = rig.plane.tenant("t");
    const tail = take(wal.tail({ signal: new AbortController().signal }), 1);
    await new Promise((turn) => setImmediate(turn));
    await rig.store.close();
    await assert.rejects(tail, { name: "StoreError" });
  });
}

test("a tail rejects when the store is lost, and nothing that was refused is in sight", async () => {
  const engine = memoryEngine();
  const clock = { now: () => 0, wallTime: () => 0, after: () => () => {} };
  const store = embeddedStore(engine, { clock, failpoint: () => {} });
  const { createPlane } = await import("../../src/plane/plane.ts");
  const plane = createPlane({
    store,
    clock,
    limits: { bodyBytesMax: 100, keyBytesMax: 100, pageMax: 10 },
    sessions: { idleMs: 1, absoluteMs: 1 },
    retentionMs: Infinity,
    executionsOf: () => assert.fail("nothing runs intents here"),
  });
  const { state, wal } = plane.tenant("t");
  await state.put("ns", "k", { value: 1 });
  const tail = take(wal.tail({ signal: new AbortController().signal }), 2);
  engine.commit = () => {
    throw new Error("no space left on device");
  };
  await assert.rejects(state.put("ns", "k", { value: 2 }), { name: "StoreError", message: /no space left/ });
  await assert.rejects(tail, { name: "StoreError" });
  await assert.rejects(state.get("ns", "k"), { name: "StoreError" });
});
