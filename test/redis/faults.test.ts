// What may happen between a store and Redis, and to Redis: what was acknowledged is there once, whatever happens, and what is not known
// is asked for, never done twice.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { StoreError } from "../../src/errors.ts";
import type { Store } from "../../src/ports/store.ts";
import { done, record } from "../contracts/store-tools.ts";
import { Proxy } from "./proxy.ts";
import { RedisServer } from "./server.ts";
import { openStoreIn, patient, storeConfig } from "./store-rig.ts";

/** The long suite sets more. */
const KILLS = Math.ceil(Number(process.env["HARAKA_KILL_LOOPS"] ?? 30) / 10);

let server: RedisServer;
before(async () => {
  server = await RedisServer.start();
});
after(() => server[Symbol.asyncDispose]());

async function payloads(store: Store, tenant = "t"): Promise<unknown[]> {
  const log = await store.log(tenant, { after: 0, limit: 100_000 });
  assert.deepEqual(
    log.map(({ seq }) => seq),
    Array.from(log, (_, index) => index + 1),
  );
  return log.map(({ payload }) => payload);
}

describe("a connection that is cut", () => {
  test("after Redis has run the script: the write is found, and not done again", async () => {
    await using proxy = await Proxy.to(server.port);
    const { store } = await patient({ url: proxy.url });
    await done(store.commit("t", { append: [record(undefined, "before")], put: [{ key: "k", value: 0 }] }));
    proxy.onReply = () => {
      proxy.onReply = () => "pass";
      proxy.cutClients();
      return "drop";
    };
    const result = await done(
      store.commit("t", {
        expect: [{ key: "k", version: 1 }],
        append: [record(undefined, "cut")],
        put: [1, 2].map((value) => ({ key: "k", value })),
      }),
    );
    assert.deepEqual([result.firstSeq, result.versions], [2, [2, 3]]);
    assert.deepEqual(await payloads(store), ["before", "cut"]);
    assert.equal((await store.log("t", { after: 1, limit: 1 }))[0]?.timeMs, result.timeMs);
    await store.close();
  });

  test("after Redis has run a script that leaves no record: it is found all the same", async () => {
    await using proxy = await Proxy.to(server.port);
    const { store } = await patient({ url: proxy.url });
    await done(store.commit("t", { put: [{ key: "k", value: 0 }] }));
    proxy.onReply = () => {
      proxy.onReply = () => "pass";
      proxy.cutClients();
      return "drop";
    };
    const again = await done(
      store.commit("t", { expect: [{ key: "k", version: 1 }], put: [{ key: "k", value: 1 }] }),
    );
    assert.deepEqual(again.versions, [2]);
    assert.equal((await store.get("t", ["k"]))[0]?.version, 2);
    await store.close();
  });

  test("before Redis has run the script: what arrives late is kept out", async () => {
    await using proxy = await Proxy.to(server.port);
    const { store } = await patient({ url: proxy.url });
    await done(store.commit("t", { append: [record(undefined, "before")] }));
    proxy.onRequest = (request) => {
      if (!request.includes("EVALSHA")) return "pass";
      proxy.onRequest = () => "pass";
      queueMicrotask(() => proxy.cutClients());
      return "hold";
    };
    const write = { append: [record(undefined, "held")], put: [{ key: "k", value: 1 }] };
    const result = await done(store.commit("t", write));
    assert.deepEqual([result.firstSeq, result.versions], [2, [1]]);
    proxy.release();
    await done(store.commit("t", { append: [record(undefined, "after")] }));
    // The server has read what was held back once it has answered another connection after it.
    await server.command("PING");
    assert.deepEqual(await payloads(store), ["before", "held", "after"]);
    assert.equal((await store.get("t", ["k"]))[0]?.version, 1);
    await store.close();
  });

  test("three seconds of silence lose nothing and do nothing twice", { timeout: 30_000 }, async () => {
    await using proxy = await Proxy.to(server.port);
    const { store, down, up } = await patient({ url: proxy.url });
    await done(store.commit("t", { append: [record(undefined, -1)] }));
    proxy.silence();
    const writes = Array.from({ length: 50 }, (_, n) =>
      store.commit("t", { append: [record(undefined, n)] }),
    );
    await down();
    await assert.rejects(store.commit("t", { append: [record()] }), StoreError);
    await assert.rejects(store.get("t", ["k"]), StoreError);
    proxy.resume();
    await up();
    await Promise.all(writes.map(done));
    assert.deepEqual(
      await payloads(store),
      Array.from({ length: 51 }, (_, index) => index - 1),
    );
    await store.close();
  });
});

test(
  "Redis killed and restarted under load keeps what was acknowledged, once",
  { timeout: 60_000 },
  async () => {
    await using own = await RedisServer.start();
    const { store, up, down } = await patient({ url: own.url });
    const acknowledged: number[] = [];
    let submitted = 0;
    let going = true;
    const write = async (): Promise<void> => {
      while (going) {
        const n = ++submitted;
        const result = await store
          .commit(`t${n % 3}`, { append: [record(undefined, n), record(undefined, n)] })
          .catch((error: unknown) => assert.ok(error instanceof StoreError, String(error)));
        if (result?.ok) acknowledged.push(n);
        else await up();
      }
    };
    const writers = Promise.all(Array.from({ length: 32 }, write));
    for (let kill = 0; kill < KILLS; kill++) {
      const before = acknowledged.length;
      while (acknowledged.length < before + 200) await store.commit("clock", {}).catch(() => up());
      await own.stop("SIGKILL");
      await down();
      await own.start();
      await up();
    }
    going = false;
    await writers;
    const there = (await Promise.all([0, 1, 2].map((n) => payloads(store, `t${n}`)))).flat() as number[];
    for (let index = 0; index < there.length; index += 2) assert.equal(there[index], there[index + 1]);
    const once = new Set(there);
    assert.equal(once.size * 2, there.length, "something is there twice");
    assert.deepEqual(
      acknowledged.filter((n) => !once.has(n)),
      [],
    );
    await store.close();
  },
);

test("a Redis that hangs is lost, and found again once it goes on", { timeout: 30_000 }, async () => {
  await using own = await RedisServer.start();
  const { store, said, down, up } = await patient({ url: own.url });
  await done(store.commit("t", { append: [record(undefined, 1)] }));
  own.signal("SIGSTOP");
  const write = store.commit("t", { append: [record(undefined, 2)] });
  await down();
  assert.match(said.at(-1)?.message ?? "", /: it has not answered for 2500 ms$/);
  own.signal("SIGCONT");
  await up();
  await done(write);
  await done(store.commit("t", { append: [record(undefined, 3)] }));
  assert.deepEqual(await payloads(store), [1, 2, 3]);
  await store.close();
});

describe("a log that is not what it was", () => {
  const swapped = async (write: (store: Store) => Promise<unknown>) => {
    await using first = await RedisServer.start();
    await using second = await RedisServer.start();
    await using proxy = await Proxy.to(first.port);
    const config = storeConfig({ url: "" });
    const warned: string[] = [];
    const { store, down, up } = await patient(
      { url: proxy.url },
      {
        namespace: config.namespace,
        onWarning: (message) => warned.push(message),
      },
    );
    for (const n of [1, 2, 3]) await done(store.commit("t", { append: [record(undefined, n)] }));
    await done(store.commit("other", { put: [{ key: "k", value: 1 }] }));
    const other = await openStoreIn({ url: second.url }, { namespace: config.namespace });
    await write(other);
    for (const tenant of ["t", "other"])
      await done(other.commit(tenant, { put: [{ key: "open/e", value: { definition: "d" } }] }));
    proxy.target = second.port;
    proxy.cut();
    await down();
    await up();
    const says =
      /the log of tenant "t" ends with record \d and is not the one whose record 3 was acknowledged/;
    for (let attempt = 0; attempt < 2; attempt++)
      await assert.rejects(store.commit("t", { append: [record()] }), { name: "StoreError", message: says });
    assert.equal(warned.length, 1);
    assert.match(warned[0] ?? "", says);
    await done(store.commit("other", { append: [record()] }));
    const claimed = await store.claim({ limit: 10 });
    assert.deepEqual(
      claimed.map(({ tenant }) => tenant),
      ["other"],
      "what it cannot write it leaves to others",
    );
    const [theirs] = await other.claim({ limit: 10 });
    assert.ok(theirs);
    assert.deepEqual(await store.renew([theirs, ...claimed]), [theirs]);
    await Promise.all([store.close(), other.close()]);
  };

  test("one that is shorter is not written any more, and that is said once", async () => {
    await swapped((store) => store.commit("t", { append: [record(undefined, 1)] }));
  });

  test("one that is longer, but another, is not written any more", async () => {
    await swapped((store) => store.commit("t", { append: [1, 2, 3, 4].map((n) => record(undefined, n)) }));
  });
});

describe("replicas of one plane", () => {
  test("two that claim at once share, and take nothing twice", async () => {
    const { namespace } = storeConfig({ url: "" });
    const stores = await Promise.all([1, 2].map(() => openStoreIn({ url: server.url }, { namespace })));
    const [one, two] = stores as [Store & (typeof stores)[0], (typeof stores)[0]];
    const all = Array.from({ length: 200 }, (_, n) => `execution_${n}`);
    for (const execution of all)
      await done(
        one.commit(`t${execution.length}`, {
          put: [{ key: `open/${execution}`, value: { definition: "d" } }],
        }),
      );
    const claims = await Promise.all(
      Array.from({ length: 20 }, (_, n) => (n % 2 === 0 ? one : two).claim({ limit: 10 })),
    );
    const rest = await two.claim({ limit: 200 });
    const executions = [...claims.flat(), ...rest].map(({ execution }) => execution);
    assert.deepEqual(executions.toSorted(), all.toSorted());
    await Promise.all(stores.map((store) => store.close()));
  });

  test("what one appends, the other hears of and sees", async () => {
    const { namespace } = storeConfig({ url: "" });
    const [one, two] = await Promise.all([1, 2].map(() => openStoreIn({ url: server.url }, { namespace })));
    assert.ok(one && two);
    await done(one.commit("t", { append: [record(undefined, 1)] }));
    const seen: unknown[] = [];
    const all = Promise.withResolvers<void>();
    const end = two.watch("t", () => {
      void two.log("t", { after: seen.length, limit: 100 }).then((records) => {
        for (const { seq, payload } of records) if (seq === seen.length + 1) seen.push(payload);
        if (seen.length === 50) all.resolve();
      });
    });
    for (let n = 2; n <= 50; n++) await done(one.commit("t", { append: [record(undefined, n)] }));
    await all.promise;
    end();
    await Promise.all([one.close(), two.close()]);
  });

  test("who watches again hears of it, however many were watched between", async () => {
    const { namespace } = storeConfig({ url: "" });
    const [one, two] = await Promise.all([1, 2].map(() => openStoreIn({ url: server.url }, { namespace })));
    assert.ok(one && two);
    const tenants = Array.from({ length: 100 }, (_, index) => `tenant-${index}`);
    for (let round = 0; round < 2; round++) {
      for (const tenant of tenants) {
        const { promise, resolve } = Promise.withResolvers<void>();
        const end = two.watch(tenant, resolve);
        await done(one.commit(tenant, { append: [record()] }));
        await promise;
        end();
      }
    }
    await Promise.all([one.close(), two.close()]);
  });

  test("a clock that is an hour off changes no lease and no expiry", async () => {
    const { namespace } = storeConfig({ url: "" });
    const clockAt = (offMs: number) => ({
      now: () => performance.now(),
      wallTime: () => Date.now() + offMs,
      after: (delayMs: number, run: () => void) => {
        const timer = setTimeout(run, delayMs);
        return () => clearTimeout(timer);
      },
    });
    const [fast, slow] = await Promise.all(
      [3_600_000, -3_600_000].map((offMs) =>
        openStoreIn({ url: server.url }, { namespace, clock: clockAt(offMs) }),
      ),
    );
    assert.ok(fast && slow);
    const { timeMs } = await done(slow.commit("t", {}));
    assert.ok(Math.abs(timeMs - Date.now()) < 600_000, "it is not the server's time");
    const put = [
      { key: "open/execution_1", value: { definition: "d" } },
      { key: "k", value: 1, expiresAtMs: timeMs + 600_000 },
    ];
    await done(slow.commit("t", { put }));
    assert.equal((await slow.claim({ limit: 1 })).length, 1);
    assert.deepEqual(await fast.claim({ limit: 1 }), []);
    assert.equal((await fast.get("t", ["k"]))[0]?.value, 1);
    assert.deepEqual(await fast.expired(1), []);
    await Promise.all([fast.close(), slow.close()]);
  });
});
