// What `haraka store migrate` refuses: a target that holds something, a store that somebody uses, and words that it does not understand.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { done, record } from "../contracts/store-tools.ts";
import { storeFolder } from "../drivers/store-rig.ts";
import {
  cli,
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
import { patient } from "./store-rig.ts";

describe("what is refused", () => {
  for (const driver of ["sqlite", "redis"] as const) {
    test(`a target in ${driver} that is not empty, which stays as it is`, async () => {
      using folder = storeFolder();
      const [from, to] = [await newUrl("sqlite", folder), await newUrl(driver, folder)];
      await fill(from);
      await withStore(to, async (store) => {
        await done(store.commit("a", { append: [record(), record()] }));
        await done(store.commit("b", { put: [{ key: "k", value: 1 }] }));
      });
      const before = await pictureOf(to);
      const { code, stdout, stderr } = await migrate(from, to);
      assert.deepEqual([code, stdout], [1, ""]);
      assert.match(
        stderr,
        /^haraka: cannot migrate to .*: it is not empty, it has 2 tenants with 2 events; name an empty one\n$/,
      );
      assert.deepEqual(await pictureOf(to), before);
    });
  }

  test("a Redis that a runtime uses, on either side", async () => {
    using folder = storeFolder();
    const [file, url] = [await newUrl("sqlite", folder), await newUrl("redis", folder)];
    await fill(file);
    const runtime = await patient({ url: (await sharedRedis()).url }, { namespace: namespaceOf(url) });
    await runtime.up();
    for (const [from, to] of [
      [file, url],
      [url, await newUrl("sqlite", folder)],
    ] as const) {
      const { code, stderr } = await migrate(from, to);
      assert.equal(code, 75);
      assert.match(
        stderr,
        /^haraka: cannot migrate the store redis:.*: 1 running runtime uses it; stop whatever uses it first\n$/,
      );
    }
    await runtime.store.close();
    await migrated(file, url);
  });

  test("a Redis where somebody's lease has not run out, or an instance has not expired", async () => {
    using folder = storeFolder();
    const [from, to] = [await newUrl("redis", folder), await newUrl("sqlite", folder)];
    await withStore(from, async (store) => {
      await done(store.commit("t", { put: [{ key: "open/execution_1", value: { definition: "d" } }] }));
      const claims = await store.claim({ limit: 1 });
      assert.match(
        (await migrate(from, to)).stderr,
        /: the lease of an execution there has not run out yet;/,
      );
      await store.release(claims);
      const put = [{ key: "registry/api/instance_1", value: 1, expiresAtMs: Date.now() + 60_000 }];
      await done(store.commit("\u0000system", { put }));
      assert.match(
        (await migrate(from, to)).stderr,
        /: the registry there has an instance that has not expired yet;/,
      );
      await done(store.commit("\u0000system", { remove: ["registry/api/instance_1"] }));
    });
    await migrated(from, to);
  });

  test("a database that is held, or is not there", async () => {
    using folder = storeFolder();
    const [from, to] = [await newUrl("sqlite", folder), await newUrl("redis", folder)];
    const missing = await migrate(from, await newUrl("sqlite", folder));
    assert.deepEqual([missing.code, missing.stdout], [75, ""]);
    assert.match(missing.stderr, /there is no such file\n$/);
    const held = await open(from);
    for (const [one, other] of [
      [from, to],
      [to, from],
    ] as const) {
      const { code, stderr } = await migrate(one, other);
      assert.equal(code, 75);
      assert.match(stderr, /cannot open the database .*: pid \d+ on host .* holds it since/);
    }
    await held.close();
    assert.ok(existsSync(from.slice("sqlite:".length)));
  });

  test("words that it does not understand", async () => {
    using folder = storeFolder();
    const file = `sqlite:${join(folder.path, "a.db")}`;
    for (const words of [
      ["migrate"],
      ["migrate", "--from", file],
      ["migrate", file, "--to", file],
      ["migrate", "--from", file, "--to", file],
      ["migrate", "--from", "redis://h:1/0?namespace=a", "--to", "redis://h:1/0?namespace=a"],
      ["migrate", "--from", "memory:", "--to", file],
      ["migrate", "--from", file, "--to", "postgres://x"],
      ["hash", file, "--from", file],
    ]) {
      const { code, stderr } = await cli("store", ...words);
      assert.deepEqual([code, stderr.startsWith("haraka: cannot ")], [2, true], stderr);
    }
    assert.equal(existsSync(join(folder.path, "a.db")), false);
  });
});
