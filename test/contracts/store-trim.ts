// Letting go of records, of the store's contract: the earliest of one tenant, and nothing else.
import assert from "node:assert/strict";
import { test } from "node:test";
import { done, type MakeStore, record } from "./store-tools.ts";

export function trimContract(make: MakeStore): void {
  test("records are gone up to one, and the rest have their numbers still", async () => {
    await using rig = await make();
    const { store } = rig;
    const executions = ["execution_1", "execution_2"];
    for (let index = 0; index < 6; index++)
      await done(store.commit("t", { append: [record(executions[index % 2], { index })] }));
    await done(store.commit("a:b", { append: [record("execution_1")], put: [{ key: "k", value: 1 }] }));
    await store.trim("t", { throughSeq: 3 });
    const seqs = async (query: { after: number; limit: number; execution?: string }, tenant = "t") =>
      (await store.log(tenant, query)).map(({ seq }) => seq);
    assert.deepEqual(await seqs({ after: 0, limit: 9 }), [4, 5, 6]);
    assert.deepEqual(await seqs({ after: 4, limit: 1 }), [5]);
    assert.deepEqual(await seqs({ after: 0, limit: 9, execution: "execution_1" }), [5]);
    assert.deepEqual(await seqs({ after: 0, limit: 9, execution: "execution_2" }), [4, 6]);
    assert.deepEqual(await seqs({ after: 0, limit: 9 }, "a:b"), [1]);
    assert.equal((await store.get("a:b", ["k"]))[0]?.value, 1);
    assert.deepEqual((await store.log("t", { after: 3, limit: 1 }))[0]?.payload, { index: 3 });
  });

  test("numbers are not given again, also when nothing is left", async () => {
    await using rig = await make();
    const { store } = rig;
    await done(store.commit("t", { append: [record("execution_1"), record("execution_1")] }));
    await store.trim("t", { throughSeq: 9 });
    await store.trim("t", { throughSeq: 9 });
    await store.trim("nobody", { throughSeq: 9 });
    assert.deepEqual(await store.log("t", { after: 0, limit: 9 }), []);
    assert.deepEqual(await store.tenants(), [{ tenant: "t", lastSeq: 2 }]);
    const { firstSeq } = await done(store.commit("t", { append: [record("execution_1")] }));
    assert.equal(firstSeq, 3);
    const left = await store.log("t", { after: 0, limit: 9, execution: "execution_1" });
    assert.deepEqual(
      left.map(({ seq }) => seq),
      [3],
    );
  });

  test("more than one batch goes, and writers have their turn meanwhile", async () => {
    await using rig = await make();
    const { store } = rig;
    const append = Array.from({ length: 1_000 }, () => record("execution_1"));
    await done(store.commit("t", { append }));
    const trimmed = store.trim("t", { throughSeq: 900 });
    await done(store.commit("t", { append: [record()] }));
    await trimmed;
    const [first] = await store.log("t", { after: 0, limit: 1 });
    assert.equal(first?.seq, 901);
    assert.equal((await store.log("t", { after: 0, limit: 999 })).length, 101);
  });
}
