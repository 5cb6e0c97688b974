// Reading, of the store's contract: pages, filters and hints, nothing expired in sight, and nothing of another tenant.
import assert from "node:assert/strict";
import { test } from "node:test";
import { keyOf } from "../../src/core/key.ts";
import type { Store } from "../../src/ports/store.ts";
import { done, type MakeStore, record } from "./store-tools.ts";

/** Names that are easily taken for one another, or for something else. */
const TENANTS = [
  "a",
  "a:b",
  "a/b",
  "a\0b",
  "A",
  "a%2Fb",
  "a b",
  "..",
  "",
  "{a}",
  "*",
  "'; DROP TABLE log; --",
  "ünï",
  "日本",
  "👩‍🚀",
  "\uffff",
  "t".repeat(10_000),
];

export function expiryContract(make: MakeStore): void {
  test("what has expired is nowhere, counts as none, and is given to whoever removes it", async () => {
    await using rig = await make();
    const { store } = rig;
    const { timeMs } = await done(store.commit("t", { put: [{ key: "stays", value: 1 }] }));
    const expiresAtMs = timeMs + 60_000;
    await done(store.commit("t", { put: [{ key: "goes", value: 1, expiresAtMs }] }));
    assert.deepEqual((await store.get("t", ["goes"]))[0], { key: "goes", value: 1, version: 1, expiresAtMs });
    assert.deepEqual(await store.expired(10), []);
    await rig.turn(60_000);
    assert.deepEqual(await store.get("t", ["goes", "stays"]), [
      undefined,
      { key: "stays", value: 1, version: 1 },
    ]);
    assert.deepEqual(
      (await store.scan("t", { prefix: "", limit: 10 })).items.map(({ key }) => key),
      ["stays"],
    );
    const stale = await store.commit("t", { expect: [{ key: "goes", version: 1 }], remove: ["stays"] });
    assert.deepEqual(stale, { ok: false, reason: "conflict", key: "goes", version: 0 });
    const [expired, ...others] = await store.expired(10);
    assert.deepEqual(expired, { tenant: "t", entry: { key: "goes", value: 1, version: 1, expiresAtMs } });
    assert.deepEqual(others, []);
    await done(store.commit("t", { expect: [{ key: "goes", version: 0 }], remove: ["goes"] }));
    assert.deepEqual(await store.expired(10), []);
    assert.deepEqual((await done(store.commit("t", { put: [{ key: "goes", value: 2 }] }))).versions, [2]);
  });

  test("a write over what has expired makes it last, its version going on", async () => {
    await using rig = await make();
    const { store } = rig;
    const { timeMs } = await done(store.commit("t", {}));
    await done(store.commit("t", { put: [{ key: "k", value: 1, expiresAtMs: timeMs + 1_000 }] }));
    await rig.turn(2_000);
    const again = await done(
      store.commit("t", { expect: [{ key: "k", version: 0 }], put: [{ key: "k", value: 2 }] }),
    );
    assert.deepEqual(again.versions, [2]);
    await rig.turn(10_000);
    assert.deepEqual(await store.get("t", ["k"]), [{ key: "k", value: 2, version: 2 }]);
    assert.deepEqual(await store.expired(10), []);
  });

  test("the earliest comes first, of all tenants, and no more than are asked for", async () => {
    await using rig = await make();
    const { store } = rig;
    const { timeMs } = await done(store.commit("t", {}));
    for (const [index, tenant] of ["b", "a", "c"].entries())
      await done(
        store.commit(tenant, { put: [{ key: "k", value: 1, expiresAtMs: timeMs + 1_000 - index }] }),
      );
    await rig.turn(2_000);
    assert.deepEqual(
      (await store.expired(2)).map(({ tenant }) => tenant),
      ["c", "a"],
    );
  });
}

export function readContract(make: MakeStore): void {
  test("scan goes by key, under a prefix and no further, page by page", async () => {
    await using rig = await make();
    const { store } = rig;
    const keys = ["a", "n/a", "n/b", "n/b/c", "n/%2F", "n", "na", "n0", "N/a", "n/~", "z"];
    await done(store.commit("t", { put: keys.map((key) => ({ key, value: key })) }));
    await done(store.commit("other", { put: [{ key: "n/other", value: 1 }] }));
    const under = ["n/%2F", "n/a", "n/b", "n/b/c", "n/~"];
    for (const limit of [1, 2, 4, 5, 6]) {
      const found: string[] = [];
      let after: string | undefined;
      do {
        const { items, cursor } = await store.scan("t", {
          prefix: "n/",
          limit,
          ...(after !== undefined && { after }),
        });
        assert.ok(items.length <= limit);
        found.push(...items.map(({ key }) => key));
        after = cursor;
      } while (after !== undefined);
      assert.deepEqual(found, under);
    }
    const all = await store.scan("t", { prefix: "", limit: 100 });
    assert.deepEqual(
      all.items.map(({ key }) => key),
      keys.toSorted(),
    );
    assert.equal(all.cursor, undefined);
    assert.deepEqual(await store.scan("t", { prefix: "y", limit: 100 }), { items: [] });
    assert.deepEqual(await store.scan("none", { prefix: "", limit: 100 }), { items: [] });
  });

  test("the log goes on after a sequence number, also that of one execution", async () => {
    await using rig = await make();
    const { store } = rig;
    const of = (index: number) => (index % 3 === 0 ? undefined : `execution_${index % 3}`);
    await done(
      store.commit("t", { append: Array.from({ length: 30 }, (_, index) => record(of(index + 1))) }),
    );
    await done(store.commit("other", { append: [record("execution_1")] }));
    const seqs = async (query: Parameters<Store["log"]>[1]) =>
      (await store.log("t", query)).map(({ seq }) => seq);
    assert.deepEqual(await seqs({ after: 27, limit: 10 }), [28, 29, 30]);
    assert.deepEqual(await seqs({ after: 10, limit: 3 }), [11, 12, 13]);
    assert.deepEqual(await seqs({ after: 30, limit: 3 }), []);
    // The filter comes before the limit.
    assert.deepEqual(await seqs({ after: 0, limit: 3, execution: "execution_2" }), [2, 5, 8]);
    assert.deepEqual(await seqs({ after: 20, limit: 9, execution: "execution_2" }), [23, 26, 29]);
    assert.deepEqual(await seqs({ after: 0, limit: 9, execution: "execution_9" }), []);
    assert.deepEqual(await store.log("none", { after: 0, limit: 9 }), []);
  });

  test("a watcher hears of appends of its tenant until it ends, and a hint finds them there", async () => {
    await using rig = await make();
    const { store } = rig;
    const heard = Promise.withResolvers<number>();
    let hints = 0;
    let others = 0;
    const end = store.watch("t", () => {
      hints++;
      void store.log("t", { after: 0, limit: 10 }).then(({ length }) => heard.resolve(length));
    });
    const endOther = store.watch("other", () => others++);
    await done(store.commit("t", { append: [record(), record()] }));
    assert.equal(await heard.promise, 2);
    const before = hints;
    end();
    end();
    await done(store.commit("t", { append: [record()] }));
    await done(store.commit("t", { put: [{ key: "k", value: 1 }] }));
    assert.deepEqual({ hints, others }, { hints: before, others: 0 });
    endOther();
  });

  test("a watcher hears of entries that are written and removed, and of nothing where nothing was written", async () => {
    await using rig = await make();
    const { store } = rig;
    let heard = Promise.withResolvers<void>();
    let hints = 0;
    const end = store.watch("t", () => {
      hints++;
      heard.resolve();
    });
    for (const commit of [{ put: [{ key: "k", value: 1 }] }, { remove: ["k"] }]) {
      heard = Promise.withResolvers();
      await done(store.commit("t", commit));
      await heard.promise;
    }
    const before = hints;
    await done(store.commit("t", {}));
    await store.commit("t", { expect: [{ key: "k", version: 9 }], put: [{ key: "k", value: 2 }] });
    // What would have been a hint for these has come by the time of one that is.
    heard = Promise.withResolvers();
    await done(store.commit("t", { append: [record()] }));
    await heard.promise;
    assert.equal(hints, before + 1);
    end();
  });
}

export function tenantContract(make: MakeStore): void {
  test("no tenant sees another's, whatever they are called", async () => {
    await using rig = await make();
    const { store } = rig;
    const write = (tenant: string) =>
      store.commit(tenant, {
        append: [record("execution_1", tenant)],
        put: [{ key: keyOf("k"), value: tenant }],
      });
    for (const tenant of TENANTS) await done(write(tenant));
    for (const tenant of TENANTS) {
      const [log, ofExecution, entries] = await Promise.all([
        store.log(tenant, { after: 0, limit: 10 }),
        store.log(tenant, { after: 0, limit: 10, execution: "execution_1" }),
        store.scan(tenant, { prefix: "", limit: 10 }),
      ]);
      assert.deepEqual(
        log.map(({ payload }) => payload),
        [tenant],
      );
      assert.deepEqual(ofExecution, log);
      assert.deepEqual(
        entries.items.map(({ value }) => value),
        [tenant],
      );
    }
    assert.deepEqual(
      await store.tenants(),
      TENANTS.toSorted().map((tenant) => ({ tenant, lastSeq: 1 })),
    );
  });

  test("thousands of tenants are all there", async () => {
    await using rig = await make();
    const { store } = rig;
    const names = Array.from({ length: 2_500 }, (_, index) => `tenant-${index}`);
    await Promise.all(names.map((name) => done(store.commit(name, { append: [record()] }))));
    assert.deepEqual(
      await store.tenants(),
      names.toSorted().map((tenant) => ({ tenant, lastSeq: 1 })),
    );
  });
}
