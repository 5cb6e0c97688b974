// What every store owes the plane, whichever driver keeps it: commits that land whole or not at all, one version after the other,
// sequence numbers without gaps, nothing expired in sight, and one owner for each execution. It knows no process and no file.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { keyOf } from "../../src/core/key.ts";
import type { Commit, CommitResult, NewRecord, Ownerships, Store } from "../../src/ports/store.ts";
import { casContract } from "./store-history.ts";
import { modelContract } from "./store-model.ts";

export interface StoreRig extends AsyncDisposable {
  store: Store & Ownerships;
  /** Lets that much time pass on the store's clock. */
  turn(ms: number): Promise<void>;
}

export type MakeStore = () => Promise<StoreRig>;

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

export function storeContract(name: string, make: MakeStore): void {
  describe(`${name}: commits`, () => commitContract(make));
  describe(`${name}: versions`, () => versionContract(make));
  describe(`${name}: expiry`, () => expiryContract(make));
  describe(`${name}: reading`, () => readContract(make));
  describe(`${name}: tenants`, () => tenantContract(make));
  describe(`${name}: owners`, () => ownerContract(make));
  describe(`${name}: histories`, () => casContract(make));
  describe(`${name}: a model`, () => modelContract(make));
}

function commitContract(make: MakeStore): void {
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

function versionContract(make: MakeStore): void {
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

function expiryContract(make: MakeStore): void {
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

function readContract(make: MakeStore): void {
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
}

function tenantContract(make: MakeStore): void {
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

function ownerContract(make: MakeStore): void {
  const open = (execution: string, definition = "d") => ({
    put: [{ key: keyOf("open", execution), value: { definition } }],
  });

  test("an open execution is claimed once, by who knows its definition", async () => {
    await using rig = await make();
    const { store } = rig;
    await done(store.commit("a:b", open("execution_1", "x")));
    await done(store.commit("a", open("execution_2", "y")));
    assert.deepEqual(await store.claim({ known: ["z"], limit: 10 }), []);
    assert.deepEqual(await store.claim({ known: [], limit: 10 }), []);
    const [first, ...others] = await store.claim({ known: ["z", "x"], limit: 10 });
    assert.deepEqual(others, []);
    assert.deepEqual({ ...first, token: "" }, { tenant: "a:b", execution: "execution_1", token: "" });
    assert.match(first?.token ?? "", /^[0-9a-f]{32}$/);
    const rest = await store.claim({ limit: 10 });
    assert.deepEqual(
      rest.map(({ execution }) => execution),
      ["execution_2"],
    );
    assert.deepEqual(await store.claim({ limit: 10 }), []);
  });

  test("no more are claimed than are asked for", async () => {
    await using rig = await make();
    const { store } = rig;
    for (let index = 0; index < 5; index++) await done(store.commit("t", open(`execution_${index}`)));
    const found = [];
    for (let limit = 0; limit < 4; limit++) found.push(...(await store.claim({ limit })));
    assert.equal(new Set(found.map(({ execution }) => execution)).size, 5);
    assert.equal(new Set(found.map(({ token }) => token)).size, 5);
  });

  test("only the latest token writes; another's leaves nothing", async () => {
    await using rig = await make();
    const { store } = rig;
    await done(store.commit("t", open("execution_1")));
    const [old] = await store.claim({ limit: 1 });
    assert.ok(old);
    const write = (owner: { execution: string; token: string }, tenant = "t") =>
      store.commit(tenant, { owner, append: [record("execution_1")], put: [{ key: "k", value: 1 }] });
    await done(write(old));
    await store.release([old]);
    const fenced = { ok: false, reason: "fenced" };
    assert.deepEqual(await write(old), fenced);
    const [latest] = await store.claim({ limit: 1 });
    assert.ok(latest);
    assert.notEqual(latest.token, old.token);
    assert.deepEqual(await write(old), fenced);
    assert.deepEqual(await write({ ...latest, token: "" }), fenced);
    assert.deepEqual(await write({ ...latest, execution: "execution_2" }), fenced);
    assert.deepEqual(await write(latest, "other"), fenced);
    // A release by who has it no more changes nothing.
    await store.release([old]);
    await done(write(latest));
    assert.equal((await store.log("t", { after: 0, limit: 10 })).length, 2);
    assert.equal((await store.get("t", ["k"]))[0]?.version, 2);
    // Fenced before anything else is looked at.
    const both = await store.commit("t", { owner: old, expect: [{ key: "k", version: 9 }] });
    assert.deepEqual(both, fenced);
  });

  test("renewing tells what is lost, and nothing else", async () => {
    await using rig = await make();
    const { store } = rig;
    for (const execution of ["execution_1", "execution_2"]) await done(store.commit("t", open(execution)));
    const claims = await store.claim({ limit: 2 });
    assert.deepEqual(await store.renew(claims), []);
    const [first, second] = claims;
    assert.ok(first && second);
    await store.release([first]);
    assert.deepEqual(await store.renew(claims), [first]);
  });

  test("an execution that has ended is nobody's, within the same breath", async () => {
    await using rig = await make();
    const { store } = rig;
    await done(store.commit("t", open("execution_1")));
    const [owner] = await store.claim({ limit: 1 });
    assert.ok(owner);
    const results = await Promise.all([
      store.commit("t", { owner, append: [record()], remove: [keyOf("open", "execution_1")] }),
      store.commit("t", { owner, append: [record()] }),
    ]);
    assert.deepEqual(
      results.map(({ ok }) => ok),
      [true, false],
    );
    assert.deepEqual(await store.renew([owner]), [owner]);
    assert.deepEqual(await store.claim({ limit: 1 }), []);
  });

  test("who owns an execution goes on owning it when its entry is written again", async () => {
    await using rig = await make();
    const { store } = rig;
    await done(store.commit("t", open("execution_1", "x")));
    const [owner] = await store.claim({ limit: 1 });
    assert.ok(owner);
    await done(store.commit("t", { owner, ...open("execution_1", "y") }));
    assert.deepEqual(await store.claim({ limit: 1 }), []);
    await store.release([owner]);
    assert.deepEqual(await store.claim({ known: ["x"], limit: 1 }), []);
    assert.equal((await store.claim({ known: ["y"], limit: 1 })).length, 1);
  });
}
