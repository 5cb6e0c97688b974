// What the plane needs of a store so that its log can say versions and its timer sleeps: expecting the version that comes next, also
// where nothing is to be seen; how long until something expires; and that who waits for a log hears that the store is gone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { done, type MakeStore, record } from "./store-tools.ts";

export function expectationContract(make: MakeStore): void {
  test("a commit can expect which version comes next, of what is there, was removed, has expired or never was", async () => {
    await using rig = await make();
    const { store } = rig;
    const { timeMs } = await done(
      store.commit("t", {
        put: [1, 2, 3].flatMap((value) => ["there", "removed"].map((key) => ({ key, value }))),
      }),
    );
    await done(store.commit("t", { remove: ["removed"] }));
    await done(store.commit("t", { put: [{ key: "expired", value: 1, expiresAtMs: timeMs + 1_000 }] }));
    await rig.turn(1_000);
    for (const [key, version, last] of [
      ["there", 3, 3],
      ["removed", 0, 3],
      ["expired", 0, 1],
      ["never", 0, 0],
    ] as const) {
      const attempt = (expected: number) =>
        store.commit("t", {
          expect: [{ key, version, last: expected }],
          put: [{ key, value: "next" }],
          append: [record()],
        });
      for (const wrong of [last + 1, last - 1])
        assert.deepEqual(await attempt(wrong), { ok: false, reason: "conflict", key, version, last });
      assert.deepEqual((await done(attempt(last))).versions, [last + 1]);
    }
    assert.equal((await store.log("t", { after: 0, limit: 10 })).length, 4);
  });

  test("a commit that expects a version and what comes next conflicts over either", async () => {
    await using rig = await make();
    const { store } = rig;
    await done(store.commit("t", { put: [{ key: "k", value: 1 }] }));
    const expected = { ok: false, reason: "conflict", key: "k", version: 1, last: 1 };
    for (const expect of [
      { key: "k", version: 0, last: 1 },
      { key: "k", version: 1, last: 0 },
    ])
      assert.deepEqual(await store.commit("t", { expect: [expect], remove: ["k"] }), expected);
    await done(store.commit("t", { expect: [{ key: "k", version: 1, last: 1 }], remove: ["k"] }));
    assert.deepEqual((await done(store.commit("t", { put: [{ key: "k", value: 1 }] }))).versions, [2]);
  });

  test("a commit can expect what has expired and nobody has removed", async () => {
    await using rig = await make();
    const { store } = rig;
    const { timeMs } = await done(store.commit("t", { put: [{ key: "stays", value: 1 }] }));
    const put = [{ key: "k", value: 1, expiresAtMs: timeMs + 1_000 }];
    await done(store.commit("t", { put }));
    const attempt = (key: string, version: number) =>
      store.commit("t", { expect: [{ key, version, expired: true }], remove: [key], append: [record()] });
    for (const key of ["k", "stays", "never"])
      assert.deepEqual(await attempt(key, 1), { ok: false, reason: "conflict", key, version: 0 });
    await rig.turn(1_000);
    assert.deepEqual(await attempt("k", 2), { ok: false, reason: "conflict", key: "k", version: 1 });
    const [first, second] = await Promise.all([attempt("k", 1), attempt("k", 1)]);
    assert.deepEqual([first?.ok, second?.ok], [true, false]);
    assert.equal((await store.log("t", { after: 0, limit: 10 })).length, 1);
  });

  test("it says how long until the first of all entries expires", async () => {
    await using rig = await make();
    const { store } = rig;
    assert.equal(await store.expiresInMs(), undefined);
    const { timeMs } = await done(store.commit("a", { put: [{ key: "stays", value: 1 }] }));
    assert.equal(await store.expiresInMs(), undefined);
    for (const [tenant, inMs] of [
      ["a", 5_000],
      ["b", 3_000],
    ] as const)
      await done(store.commit(tenant, { put: [{ key: "goes", value: 1, expiresAtMs: timeMs + inMs }] }));
    assert.equal(await store.expiresInMs(), 3_000);
    await rig.turn(1_000);
    assert.equal(await store.expiresInMs(), 2_000);
    await rig.turn(10_000);
    assert.equal(await store.expiresInMs(), 0);
    await done(store.commit("b", { remove: ["goes"] }));
    await done(store.commit("a", { put: [{ key: "goes", value: 2 }] }));
    assert.equal(await store.expiresInMs(), undefined);
  });

  test("who watches hears that it is closed", async () => {
    await using rig = await make();
    const { promise, resolve } = Promise.withResolvers<void>();
    rig.store.watch("t", resolve);
    await rig.store.close();
    await promise;
    await assert.rejects(rig.store.log("t", { after: 0, limit: 1 }), { name: "StoreError" });
    await assert.rejects(rig.store.expiresInMs(), { name: "StoreError" });
  });
}
