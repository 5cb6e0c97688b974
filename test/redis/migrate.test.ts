// `haraka store migrate` between SQLite and a real Redis: what is copied, and that one that was killed is gone on with.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { haraka, start } from "../e2e/support/runtime.ts";
import { planeOf } from "../e2e/support/plane.ts";
import { done, record } from "../contracts/store-tools.ts";
import { storeFolder } from "../drivers/store-rig.ts";
import {
  cli,
  type Driver,
  fill,
  migrate,
  migrated,
  namespaceOf,
  newUrl,
  open,
  pictureOf,
  withStore,
} from "./migration-rig.ts";
import { sharedRedis } from "./server.ts";
import { openStoreIn } from "./store-rig.ts";

const PAIRS: [Driver, Driver][] = [
  ["sqlite", "redis"],
  ["redis", "sqlite"],
  ["sqlite", "sqlite"],
  ["redis", "redis"],
];

const hashOf = async (url: string): Promise<string> => (await cli("store", "hash", url, "--json")).stdout;

describe("what is copied", () => {
  for (const [one, other] of PAIRS) {
    test(`everything, from ${one} to ${other}`, { timeout: 60_000 }, async () => {
      using folder = storeFolder();
      const [from, to] = [await newUrl(one, folder), await newUrl(other, folder)];
      await fill(from);
      const before = [await pictureOf(from), await hashOf(from)];
      assert.equal(await migrated(from, to), 2_300 + 1 + 1 + 3 + 0 + 2);
      assert.deepEqual([await pictureOf(to), await hashOf(to)], before);
      assert.deepEqual([await pictureOf(from), await hashOf(from)], before);
      const verified = await cli("wal", "verify", "--store", to);
      assert.equal(verified.code, 0, verified.stdout);
      if (other !== "redis") return;
      const redis = await sharedRedis();
      const keys = (await redis.command("KEYS", `${namespaceOf(to)}:*copy*`)) as string[];
      assert.deepEqual(keys, [], "the migration has left something");
    });
  }

  test("and back again, and the store goes on from there", { timeout: 60_000 }, async () => {
    using folder = storeFolder();
    const urls = await Promise.all(
      (["sqlite", "redis", "sqlite"] as const).map((each) => newUrl(each, folder)),
    );
    const [first = "", second = "", third = ""] = urls;
    await fill(first);
    await migrated(first, second);
    await migrated(second, third);
    assert.deepEqual(await pictureOf(third), await pictureOf(first));
    const goesOn = (url: string) =>
      withStore(url, async (store) => {
        const { firstSeq } = await done(store.commit("trimmed wholly", { append: [record("execution_1")] }));
        const put = ["often", "removed", "again", "expired", "expires", "new"].map((key) => ({
          key,
          value: 1,
        }));
        const { versions } = await done(store.commit("versions", { put }));
        return { firstSeq, versions };
      });
    for (const url of urls)
      assert.deepEqual(await goesOn(url), { firstSeq: 7, versions: [6, 3, 4, 2, 2, 11] });
  });

  test("executions are nobody's afterwards, whoever had them", async () => {
    using folder = storeFolder();
    const [from, to] = [await newUrl("redis", folder), await newUrl("redis", folder)];
    const place = { url: (await sharedRedis()).url };
    const put = [{ key: "open/execution_1", value: { definition: "d" } }];
    const lost = await openStoreIn(place, { namespace: namespaceOf(from), leaseMs: 1 });
    await done(lost.commit("t", { put }));
    const [old] = await lost.claim({ limit: 1 });
    await lost.close();
    assert.ok(old);
    await migrated(from, to);
    await withStore(to, async (store) => {
      const fenced = await store.commit("t", { owner: old, append: [record("execution_1")] });
      assert.deepEqual(fenced, { ok: false, reason: "fenced" });
      const [owner] = await store.claim({ known: ["d"], limit: 1 });
      assert.ok(owner);
      await done(store.commit("t", { owner, append: [record("execution_1")], remove: ["open/execution_1"] }));
    });
  });

  test("an empty store is an empty store", async () => {
    using folder = storeFolder();
    const [from, to] = [await newUrl("sqlite", folder), await newUrl("redis", folder)];
    await (await open(from)).close();
    assert.equal(await migrated(from, to), 0);
    assert.equal(await migrated(to, await newUrl("sqlite", folder)), 0);
  });
});

/** A step that is cut off, a signal that is waited for, and a saga that is parked. */
const SHOP = `
import { saga } from "haraka-runtime";
const never = () => new Promise(() => {});
export default {
  startup() {
    const { sagas } = this.runtime;
    const step = { execute: () => "shelf 7", compensate: () => {} };
    sagas.register(saga("waits").step("reserve", step).signal("go", {}));
    sagas.register(saga("runs").step("reserve", step).step("pack", {
      execute: () => (process.env.AGAIN ? "packed" : never()), compensate: () => {},
    }));
    sagas.register(saga("stuck").step("pay", {
      execute: never, compensate: () => {}, timeout: "20ms", inDoubt: "manual", retry: { attempts: 1, backoff: "1ms..2ms" },
    }));
  },
};`;

for (const [one, other] of PAIRS.slice(0, 2)) {
  test(`a runtime goes on with open sagas, from ${one} to ${other}`, { timeout: 60_000 }, async () => {
    using folder = storeFolder();
    const [from, to] = [await newUrl(one, folder), await newUrl(other, folder)];
    const filesFor = (url: string) => ({
      "runtime.yaml": `
plane: {}
discovery: { registry: { ttl: 1s, heartbeat: 200ms } }
store: ${url.startsWith("sqlite:") ? `{ driver: sqlite, path: "${url.slice(7)}" }` : `{ driver: redis, url: "${url.split("?")[0]}", namespace: ${namespaceOf(url)}, lease: { ttl: 1s } }`}
http: { port: 0 }
services: { shop: { entrypoint: ./shop.ts } }`,
      "shop.ts": SHOP,
    });
    const ids: string[] = [];
    {
      await using runtime = await start({ files: filesFor(from) }).started();
      const plane = await planeOf(runtime);
      const session = await plane.session();
      for (const [type, state, step] of [
        ["waits", "running", "reserve"],
        ["runs", "running", "reserve"],
        ["stuck", "parked", "pay"],
      ] as const) {
        const { body } = await plane.ask("POST /intents", { json: { type, session, payload: {} } });
        ids.push(body.id);
        await untilStep(plane, { id: body.id, state, step });
      }
      const held = await migrate(from, to);
      assert.deepEqual([held.code, held.stdout], [75, ""]);
      assert.match(held.stderr, /pid \d+ on host .* holds it since|1 running runtime uses it; stop /);
      await runtime.signal("SIGKILL").ended;
    }
    // The lease of a runtime that was killed runs out, and so do its instances: until then it may still be there.
    while ((await migrate(from, to)).code === 75);
    await using runtime = await start({ files: filesFor(to), env: { AGAIN: "1" } }).started();
    const plane = await planeOf(runtime);
    const [waits = "", runs = "", stuck = ""] = ids;
    assert.equal((await plane.ask(`GET /executions/${runs}?wait=15s`)).body.state, "completed");
    await plane.ask(`POST /executions/${waits}/signal`, { json: { name: "go", payload: {} } });
    assert.equal((await plane.ask(`GET /executions/${waits}?wait=15s`)).body.state, "completed");
    assert.equal((await plane.ask(`GET /executions/${stuck}`)).body.state, "parked");
    const aborted = await haraka({ args: ["sagas", "abort", stuck], cwd: runtime.folder });
    assert.equal(aborted.code, 0, aborted.stderr);
    assert.equal((await plane.ask(`GET /executions/${stuck}?wait=15s`)).body.state, "compensated");
  });
}

async function untilStep(
  plane: Awaited<ReturnType<typeof planeOf>>,
  { id, state, step }: { id: string; state: string; step: string },
): Promise<void> {
  for (;;) {
    const { body } = await plane.ask(`GET /executions/${id}`);
    const there = body.saga?.steps.find((each: { name: string }) => each.name === step);
    if (body.state === state && (state === "parked" || there?.state === "completed")) return;
  }
}

describe("one that is killed is gone on with", () => {
  const killed = async (from: string, to: string, failpoint: string): Promise<void> => {
    const args = ["store", "migrate", "--from", from, "--to", to];
    const { signal, stderr } = await haraka({ args, env: { HARAKA_FAILPOINT: failpoint } });
    assert.equal(signal, "SIGKILL", stderr);
  };

  for (const [one, other] of PAIRS.slice(0, 2)) {
    for (const failpoint of ["migrate-begun", "migrate-part:3", "migrate-part:8", "migrate-copied"]) {
      test(`from ${one} to ${other}, at ${failpoint}`, { timeout: 60_000 }, async () => {
        using folder = storeFolder();
        const [from, to] = [await newUrl(one, folder), await newUrl(other, folder)];
        await fill(from);
        await killed(from, to, failpoint);
        const command = `haraka store migrate --from '${from}' --to '${to}'`;
        for (const words of [
          ["store", "hash", to],
          ["store", "migrate", "--from", to, "--to", await newUrl("sqlite", folder)],
        ]) {
          const { code, stderr } = await cli(...words);
          assert.deepEqual([code, stderr.endsWith(`finish it with: ${command}\n`)], [75, true], stderr);
        }
        await migrated(from, to);
        assert.deepEqual(await pictureOf(to), await pictureOf(from));
      });
    }

    test(`again and again, from ${one} to ${other}`, { timeout: 60_000 }, async () => {
      using folder = storeFolder();
      const [from, to] = [await newUrl(one, folder), await newUrl(other, folder)];
      await fill(from);
      const args = ["store", "migrate", "--from", from, "--to", to];
      // Each of them gets a part further.
      const env = { HARAKA_FAILPOINT: "migrate-part:1" };
      let deaths = 0;
      while ((await haraka({ args, env })).signal === "SIGKILL") deaths++;
      // Those of other tenants are under way at the same time.
      assert.ok(deaths >= 4, `${deaths} deaths`);
      assert.deepEqual(await pictureOf(to), await pictureOf(from));
    });

    test(`anew, when the source has changed, from ${one} to ${other}`, { timeout: 60_000 }, async () => {
      using folder = storeFolder();
      const [from, to] = [await newUrl(one, folder), await newUrl(other, folder)];
      await fill(from);
      await killed(from, to, "migrate-copied");
      await withStore(from, async (store) => {
        await done(store.commit("versions", { remove: ["often"], put: [{ key: "expired", value: 2 }] }));
        await done(store.commit("many", { append: [record("execution_9")] }));
        await done(store.commit("open", { remove: ["open/execution_b"] }));
      });
      await migrated(from, to);
      assert.deepEqual(await pictureOf(to), await pictureOf(from));
    });

    test(`and no other one is, from ${one} to ${other}`, { timeout: 60_000 }, async () => {
      using folder = storeFolder();
      const [from, to] = [await newUrl(one, folder), await newUrl(other, folder)];
      await fill(from);
      await killed(from, to, "migrate-part:4");
      const another = await newUrl(one, folder);
      await withStore(another, async (store) => void (await done(store.commit("t", { append: [record()] }))));
      const { code, stderr } = await migrate(another, to);
      assert.equal(code, 1);
      assert.ok(
        stderr.includes(`it is the unfinished target of a migration from ${from}; finish that one`),
        stderr,
      );
      await migrated(from, to);
    });
  }

  test("and what has not become the same is said, and begun anew", async () => {
    using folder = storeFolder();
    const [from, to] = [await newUrl("sqlite", folder), await newUrl("redis", folder)];
    await fill(from);
    const redis = await sharedRedis();
    for (const words of [
      ["HSET", `${namespaceOf(to)}:{versions}:entries`, "often", "5  6"],
      ["ZREM", `${namespaceOf(to)}:{versions}:removed`, "removed"],
      ["HSET", `${namespaceOf(to)}:{trimmed}:head`, "seq", "7"],
    ]) {
      await killed(from, to, "migrate-copied");
      await redis.command(...words);
      const { code, stdout, stderr } = await migrate(from, to);
      assert.deepEqual([code, stdout], [1, ""]);
      assert.match(stderr, /: it is not the same as the database .*; run it again, it begins anew\n$/);
    }
    await migrated(from, to);
    assert.deepEqual(await pictureOf(to), await pictureOf(from));
  });

  test("by one of two at once, and never by halves", async () => {
    using folder = storeFolder();
    const [from, to] = [await newUrl("redis", folder), await newUrl("redis", folder)];
    await fill(from);
    const outcomes = await Promise.all([migrate(from, to), migrate(from, to), migrate(from, to)]);
    for (const { code, stderr } of outcomes)
      if (code !== 0) assert.match(stderr, /another migration goes on with it|it is not empty/);
    if (outcomes.every(({ code }) => code !== 0)) await migrated(from, to);
    assert.deepEqual(await pictureOf(to), await pictureOf(from));
  });

  test("a runtime does not start on what is unfinished, and names the command", async () => {
    using folder = storeFolder();
    const from = await newUrl("sqlite", folder);
    await fill(from);
    const server = await sharedRedis();
    for (const driver of ["sqlite", "redis"] as const) {
      const to = await newUrl(driver, folder);
      await killed(from, to, "migrate-part:4");
      const store =
        driver === "sqlite"
          ? `{ driver: sqlite, path: "${to.slice(7)}" }`
          : `{ driver: redis, url: "${server.url}", namespace: ${namespaceOf(to)} }`;
      const files = {
        "runtime.yaml": `plane: {}\nstore: ${store}\nservices: { idle: { command: [sleep, "1000"] } }`,
      };
      const { code, stdout, stderr } = await haraka({ files });
      assert.equal(code, 75, stdout + stderr);
      assert.ok((stdout + stderr).includes(`store migrate --from '${from}' --to '`), stdout + stderr);
    }
  });

  test("when it was about to take its marks away", async () => {
    using folder = storeFolder();
    const [from, to] = [await newUrl("sqlite", folder), await newUrl("redis", folder)];
    await fill(from);
    await killed(from, to, "migrate-copied");
    assert.equal(await (await sharedRedis()).command("UNLINK", `${namespaceOf(to)}:{many}:copy`), 1);
    await migrated(from, to);
    assert.deepEqual(await pictureOf(to), await pictureOf(from));
  });
});
