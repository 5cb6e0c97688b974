// Owners, of the store's contract: one for each open execution, and only the latest token writes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { keyOf } from "../../src/core/key.ts";
import { done, type MakeStore, record } from "./store-tools.ts";

export function ownerContract(make: MakeStore): void {
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

  test("what is opened as somebody's own is nobody else's until it is released", async () => {
    await using rig = await make();
    const { store } = rig;
    const own = { execution: "execution_1", token: "0123456789abcdef0123456789abcdef" };
    const results = await Promise.all([
      store.commit("t", { ...open("execution_1"), append: [record("execution_1")], own }),
      store.commit("t", { owner: own, append: [record("execution_1")] }),
    ]);
    assert.deepEqual(
      results.map(({ ok }) => ok),
      [true, true],
    );
    assert.deepEqual(await store.claim({ limit: 10 }), []);
    assert.deepEqual(await store.renew([{ ...own, tenant: "t" }]), []);
    // Nobody gets so what is somebody's already.
    const thief = { ...own, token: "f".repeat(32) };
    await done(store.commit("t", { ...open("execution_1"), own: thief }));
    assert.equal((await store.commit("t", { owner: thief })).ok, false);
    await done(store.commit("t", { owner: own }));
    await store.release([{ ...own, tenant: "t" }]);
    assert.equal((await store.claim({ limit: 10 })).length, 1);
    assert.equal((await store.commit("t", { owner: own })).ok, false);
  });

  test("what is opened as somebody's own and was not written is nobody's", async () => {
    await using rig = await make();
    const { store } = rig;
    const own = { execution: "execution_1", token: "0123456789abcdef0123456789abcdef" };
    const refused = await store.commit("t", {
      ...open("execution_1"),
      expect: [{ key: "k", version: 1 }],
      own,
    });
    assert.equal(refused.ok, false);
    assert.equal((await store.commit("t", { owner: own })).ok, false);
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
