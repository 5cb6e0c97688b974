// A master that is lost, and another server in its place: by sentinels, and in a cluster.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { storeContract } from "../contracts/store.ts";
import { done, record } from "../contracts/store-tools.ts";
import { expectationContract } from "../contracts/store-expectations.ts";
import { Cluster } from "./cluster.ts";
import { Sentinels } from "./sentinels.ts";
import { openStoreIn, patient, redisRig } from "./store-rig.ts";

test(
  "a master that is killed: the store goes on with the replica that is promoted, and has everything",
  { timeout: 60_000 },
  async () => {
    await using rig = await Sentinels.start();
    const { store, down, up } = await patient(
      { sentinel: { master: "main", nodes: rig.urls } },
      { replicas: 1 },
    );
    for (let n = 1; n <= 20; n++) await done(store.commit("t", { append: [record(undefined, n)] }));
    await rig.master.stop("SIGKILL");
    await down();
    await up();
    const log = await store.log("t", { after: 0, limit: 100 });
    assert.deepEqual(
      log.map(({ payload }) => payload),
      Array.from({ length: 20 }, (_, index) => index + 1),
    );
    await assert.rejects(store.commit("t", { append: [record(undefined, 21)] }), /0 of its replicas have it/);
    await store.close();
  },
);

test(
  "sentinels that know no such master are a mistake, and said to be one",
  { timeout: 60_000 },
  async () => {
    await using rig = await Sentinels.start();
    await assert.rejects(openStoreIn({ sentinel: { master: "none", nodes: rig.urls } }, { onTrouble() {} }), {
      name: "StoreError",
      message: /^cannot use the Redis master 'none' at redis:.*: it knows no master 'none'$/,
    });
  },
);

describe("at the master that sentinels name", () => {
  let rig: Sentinels;
  before(async () => {
    rig = await Sentinels.start();
  });
  after(() => rig[Symbol.asyncDispose]());

  const make = () => redisRig({ sentinel: { master: "main", nodes: rig.urls } });
  storeContract("redis by sentinels", make);
  describe("redis by sentinels: what comes next", () => expectationContract(make));
});

describe("in a cluster", () => {
  let cluster: Cluster;
  before(async () => {
    cluster = await Cluster.start();
  });
  after(() => cluster[Symbol.asyncDispose]());

  const make = () => redisRig({ cluster: cluster.urls });
  storeContract("redis cluster", make);
  describe("redis cluster: what comes next", () => expectationContract(make));

  test("what one replica appends, another hears of, whatever nodes they are at", async () => {
    const [first, second] = [cluster.urls, cluster.urls.toReversed()];
    const one = await openStoreIn({ cluster: first }, { namespace: "heard" });
    const two = await openStoreIn({ cluster: second }, { namespace: "heard" });
    const tenants = ["a", "b", "c", "d", "e", "f"];
    const heard = tenants.map((tenant) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      two.watch(tenant, resolve);
      return promise;
    });
    for (const tenant of tenants) await done(one.commit(tenant, { append: [record()] }));
    await Promise.all(heard);
    await Promise.all([one.close(), two.close()]);
  });
});

test(
  "a master of a cluster that is killed: the store goes on with its replica, and writes all tenants",
  { timeout: 60_000 },
  async () => {
    await using cluster = await Cluster.start({ replicas: true });
    const { store, down, up } = await patient({ cluster: cluster.urls });
    const tenants = Array.from({ length: 12 }, (_, index) => `tenant-${index}`);
    for (const tenant of tenants) await done(store.commit(tenant, { append: [record(undefined, 1)] }));
    await cluster.masters[1]?.stop("SIGKILL");
    await down();
    for (const tenant of tenants) {
      for (let isWritten = false; !isWritten;) {
        await up();
        isWritten = await store.commit(tenant, { append: [record(undefined, 2)] }).then(
          ({ ok }) => ok,
          () => false,
        );
      }
      const log = await store.log(tenant, { after: 0, limit: 10 });
      assert.equal(log.at(-1)?.payload, 2);
      assert.equal(log[0]?.payload, 1);
    }
    await store.close();
  },
);
