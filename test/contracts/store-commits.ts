// Commits, of the store's contract: whole or not at all, one after the other, and versions that never come again.
import assert from "node:assert/strict";
import { test } from "node:test";
import { keyOf } from "../../src/core/key.ts";
import type { Commit, NewRecord } from "../../src/ports/store.ts";
import { done, type MakeStore, record } from "./store-tools.ts";

export function commitContract(make: MakeStore): void {
  test("everything in a commit is there once it has resolved, and comes back as it went in", async () => {
    await using rig = await make();
    const { store } = rig;
    const full: NewRecord = {
      id: "event_full",
      type: "step_completed",
      session: "session_1",
      execution: "execution_1",
      saga: "saga_1",
      step: "reserve",
      payload: { a: [1, null, true, "é\0\ud83d\ude00", { b: 0.1 }], "": -0.5e-7 },
    };
    const bare: NewRecord = { id: "event_bare", type: "session_created", payload: null };
    const result = await done(
      store.commit("t", { append: [full, bare], put: [{ key: "k", value: ["v", { x: 1 }] }] }),
    );
    assert.equal(result.firstSeq, 1);
    assert.deepEqual(result.versions, [1]);
    const { timeMs } = result;
    assert.deepEqual(await store.log("t", { after: 0, limit: 10 }), [
      { ...full, seq: 1, tenant: "t", timeMs },
      { ...bare, seq: 2, tenant: "t", timeMs },
    ]);
    assert.deepEqual(await store.get("t", ["k", "other"]), [
      { key: "k", value: ["v", { x: 1 }], version: 1 },
      undefined,
    ]);
  });

  test("a commit whose expectation does not hold writes nothing and says what is there", async () => {
    await using rig = await make();
    const { store } = rig;
    await done(store.commit("t", { put: [{ key: "a", value: 1 }] }));
    const attempt = (expect: NonNullable<Commit["expect"]>) =>
      store.commit("t", {
        expect,
        append: [record()],
        put: [{ key: "b", value: 1 }],
        remove: ["a"],
      });
    for (const [expect, key, version] of [
      [[{ key: "a", version: 2 }], "a", 1],
      [[{ key: "a", version: 0 }], "a", 1],
      [[{ key: "none", version: 1 }], "none", 0],
      [
        [
          { key: "a", version: 1 },
          { key: "b", version: 7 },
        ],
        "b",
        0,
      ],
    ] as const) {
      assert.deepEqual(await attempt(expect), { ok: false, reason: "conflict", key, version });
    }
    assert.deepEqual(await store.log("t", { after: 0, limit: 10 }), []);
    assert.deepEqual(await store.get("t", ["a", "b"]), [{ key: "a", value: 1, version: 1 }, undefined]);
    await done(attempt([{ key: "a", version: 1 }]));
  });

  test("of commits at once, one that fails fails alone, and later ones see what earlier ones wrote", async () => {
    await using rig = await make();
    const { store } = rig;
    const results = await Promise.all([
      store.commit("t", { put: [{ key: "a", value: 1 }], append: [record()] }),
      store.commit("t", { expect: [{ key: "a", version: 0 }], append: [record()] }),
      store.commit("t", { expect: [{ key: "a", version: 1 }], remove: ["a"], append: [record()] }),
      store.commit("t", { expect: [{ key: "a", version: 0 }], put: [{ key: "a", value: 2 }] }),
    ]);
    assert.deepEqual(
      results.map((result) => (result.ok ? result.firstSeq : result.reason)),
      [1, "conflict", 2, 3],
    );
    assert.deepEqual(await store.get("t", ["a"]), [{ key: "a", value: 2, version: 2 }]);
  });

  test("sequence numbers have no gaps, however many write at once", async () => {
    await using rig = await make();
    const { store } = rig;
    const counts = Array.from({ length: 100 }, (_, index) => index % 4);
    const results = await Promise.all(
      counts.map((count) =>
        done(
          store.commit("t", {
            append: Array.from({ length: count }, () => record()),
            put: [{ key: "k", value: 1 }],
          }),
        ),
      ),
    );
    let next = 1;
    for (const [index, { firstSeq, versions }] of results.entries()) {
      assert.equal(firstSeq, next);
      assert.deepEqual(versions, [index + 1]);
      next += counts[index] ?? 0;
    }
    const log = await store.log("t", { after: 0, limit: 1000 });
    assert.deepEqual(
      log.map(({ seq }) => seq),
      Array.from({ length: next - 1 }, (_, index) => index + 1),
    );
  });

  test("an empty commit is none, and gives the next sequence number", async () => {
    await using rig = await make();
    const { store } = rig;
    const result = await done(store.commit("t", {}));
    assert.deepEqual({ firstSeq: result.firstSeq, versions: result.versions }, { firstSeq: 1, versions: [] });
    assert.deepEqual(await store.tenants(), []);
  });

  test("what cannot be kept as it is, is refused, and nothing else with it", async () => {
    await using rig = await make();
    const { store } = rig;
    const cyclic: unknown[] = [];
    cyclic.push(cyclic);
    for (const value of [undefined, () => 1, cyclic, 1n])
      await assert.rejects(store.commit("t", { put: [{ key: "k", value: value as never }] }));
    await assert.rejects(store.commit("\ud800", { append: [record()] }), /no valid Unicode/);
    await assert.rejects(store.commit("t", { put: [{ key: "\udc00", value: 1 }] }), /no valid Unicode/);
    await done(store.commit("t", { put: [{ key: "k", value: 1 }] }));
    assert.deepEqual(await store.tenants(), [{ tenant: "t", lastSeq: 0 }]);
  });

  test("a record or an entry of megabytes, and a key of one, are kept", async () => {
    await using rig = await make();
    const { store } = rig;
    const text = "é".repeat(2_000_000);
    const key = keyOf("k".repeat(1 << 20));
    await done(store.commit("t", { append: [record("execution_1", text)], put: [{ key, value: text }] }));
    assert.equal((await store.log("t", { after: 0, limit: 1 }))[0]?.payload, text);
    assert.equal((await store.get("t", [key]))[0]?.value, text);
    assert.equal((await store.scan("t", { prefix: "k", limit: 1 })).items[0]?.key, key);
  });

  test("after close everything rejects with StoreError, and what was under way is there", async () => {
    await using rig = await make();
    const { store } = rig;
    const last = store.commit("t", { append: [record()] });
    const closed = store.close();
    const name = "StoreError";
    await assert.rejects(store.commit("t", { append: [record()] }), { name, message: /closed/ });
    await done(last);
    await closed;
    await assert.rejects(store.get("t", ["a"]), { name });
    await assert.rejects(store.scan("t", { prefix: "", limit: 1 }), { name });
    await assert.rejects(store.log("t", { after: 0, limit: 1 }), { name });
    await assert.rejects(store.tenants(), { name });
    await assert.rejects(store.expired(1), { name });
    await assert.rejects(store.claim({ limit: 1 }), { name });
    await store.close();
  });
}

export function versionContract(make: MakeStore): void {
  test("every write raises the version by one, from 1", async () => {
    await using rig = await make();
    const { store } = rig;
    for (let version = 1; version <= 5; version++) {
      const expect = [{ key: "k", version: version - 1 }];
      const { versions } = await done(store.commit("t", { expect, put: [{ key: "k", value: version }] }));
      assert.deepEqual(versions, [version]);
    }
  });

  test("a key written twice in one commit is raised twice", async () => {
    await using rig = await make();
    const put = [
      { key: "k", value: 1 },
      { key: "k", value: 2 },
    ];
    assert.deepEqual((await done(rig.store.commit("t", { put }))).versions, [1, 2]);
    assert.deepEqual(await rig.store.get("t", ["k"]), [{ key: "k", value: 2, version: 2 }]);
  });

  test("a version from before a removal never holds again", async () => {
    await using rig = await make();
    const { store } = rig;
    await done(store.commit("t", { put: [{ key: "k", value: 1 }] }));
    await done(store.commit("t", { put: [{ key: "k", value: 2 }] }));
    await done(store.commit("t", { remove: ["k", "none"] }));
    assert.deepEqual(await store.get("t", ["k"]), [undefined]);
    assert.deepEqual((await done(store.commit("t", { put: [{ key: "k", value: 3 }] }))).versions, [3]);
    const stale = await store.commit("t", { expect: [{ key: "k", version: 2 }], remove: ["k"] });
    assert.deepEqual(stale, { ok: false, reason: "conflict", key: "k", version: 3 });
    await done(store.commit("t", { remove: ["k"] }));
    await done(store.commit("t", { expect: [{ key: "k", version: 0 }], put: [{ key: "k", value: 4 }] }));
    assert.equal((await store.get("t", ["k"]))[0]?.version, 4);
  });

  test("one tenant's versions are none of another's", async () => {
    await using rig = await make();
    const { store } = rig;
    await done(store.commit("a", { put: [{ key: "k", value: 1 }] }));
    await done(store.commit("a", { remove: ["k"] }));
    assert.deepEqual((await done(store.commit("b", { put: [{ key: "k", value: 1 }] }))).versions, [1]);
  });
}
