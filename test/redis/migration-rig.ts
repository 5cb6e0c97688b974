// Stores to migrate, and what can be seen of one: in SQLite and in a real Redis, filled with everything that a store can hold.
import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { main } from "../../src/cli/cli.ts";
import { openStoreAt } from "../../src/compose/store-at.ts";
import { systemClock } from "../../src/drivers/clock.ts";
import { type Ownerships, type Store, SYSTEM_TENANT } from "../../src/ports/store.ts";
import { done, record } from "../contracts/store-tools.ts";
import type { Folder } from "../drivers/store-rig.ts";
import { sharedRedis } from "./server.ts";
import { storeConfig } from "./store-rig.ts";

export type Driver = "sqlite" | "redis";

/** Of one that nobody has used. */
export async function newUrl(driver: Driver, folder: Folder): Promise<string> {
  const { namespace } = storeConfig({ url: "" });
  if (driver === "sqlite") return `sqlite:${join(folder.path, `${namespace}.db`)}`;
  return `${(await sharedRedis()).url}/0?namespace=${namespace}`;
}

export const namespaceOf = (url: string): string => new URL(url).searchParams.get("namespace") ?? "";

export const open = (url: string) => openStoreAt(url, { clock: systemClock(), cwd: "/" });

export async function withStore<T>(url: string, use: (store: Store & Ownerships) => Promise<T>): Promise<T> {
  const store = await open(url);
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

export async function cli(...words: string[]): Promise<Outcome> {
  const outcome = { stdout: "", stderr: "" };
  const code = await main(words, {
    stdout: (text) => void (outcome.stdout += text),
    stderr: (text) => void (outcome.stderr += text),
    env: {},
    cwd: "/",
    main: import.meta.filename,
  });
  return { code, ...outcome };
}

export const migrate = (from: string, to: string): Promise<Outcome> =>
  cli("store", "migrate", "--from", from, "--to", to, "--json");

/** Migrates, and expects that it succeeds; gives how many events there were. */
export async function migrated(from: string, to: string): Promise<number> {
  const { code, stdout, stderr } = await migrate(from, to);
  assert.deepEqual([code, stderr], [0, ""]);
  const { events, hash, ...more } = JSON.parse(stdout);
  assert.match(hash.from, /^[0-9a-f]{64}$/);
  assert.deepEqual([hash.to, more], [hash.from, {}]);
  return events;
}

/** More than a part has. */
const MANY = 2_300;

/** Everything of which a store could lose something. */
export async function fill(url: string): Promise<void> {
  await withStore(url, async (store) => {
    const put = (tenant: string, key: string, more: { value?: number; expiresAtMs?: number } = {}) =>
      done(store.commit(tenant, { put: [{ key, value: more.value ?? 1, ...more }] }));
    for (let n = 0; n < MANY; n += 100) {
      const append = Array.from({ length: 100 }, (_, index) => record(`execution_${(n + index) % 7}`, { n }));
      await done(store.commit("many", { append, put: [{ key: `k/${n}`, value: { n } }] }));
    }
    // Names and texts that nobody expects.
    const odd = {
      session: 's "1"',
      saga: ',"payload":{}',
      step: "\u0000é\u{1F600}",
      payload: ["\u2028", 1e-7, {}],
    };
    await done(store.commit("a/{b}:\u{1F600} ", { append: [{ ...record("execution 1"), ...odd }] }));
    await done(store.commit("", { append: [record()], put: [{ key: "k%20 x", value: null }] }));
    // Written often, removed, come again, expired, about to expire.
    for (let n = 1; n <= 5; n++) await put("versions", "often", { value: n });
    for (const key of ["removed", "again"]) {
      await put("versions", key);
      await put("versions", key);
      await done(store.commit("versions", { remove: [key] }));
    }
    await put("versions", "again");
    await put("versions", "expired", { expiresAtMs: 1_000 });
    await put("versions", "expires", { expiresAtMs: Date.now() + 3_600_000 });
    // Trimmed, in part and wholly, with what is left of it.
    for (const [tenant, throughSeq] of [
      ["trimmed", 3],
      ["trimmed wholly", 6],
    ] as const) {
      const append = Array.from({ length: 6 }, (_, n) => record(`execution_${n % 2}`, { n }));
      const base = [
        { key: "base", value: { throughSeq } },
        { key: "base/state%2Fx", value: { value: 1, version: 3 } },
      ];
      await done(store.commit(tenant, { append, put: base }));
      await store.trim(tenant, { throughSeq });
    }
    for (const [execution, definition] of [
      ["execution_a", "pay"],
      ["execution_b", "ship it"],
    ] as const)
      await done(
        store.commit("open", {
          append: [{ ...record(execution), type: "saga_started" }],
          put: [{ key: `open/${execution}`, value: { definition } }],
          own: { execution, token: "f".repeat(32) },
        }),
      );
    await store.release(
      ["execution_a", "execution_b"].map((execution) => ({
        tenant: "open",
        execution,
        token: "f".repeat(32),
      })),
    );
    // Gone in a moment: it is not to be copied, and stands in nobody's way.
    await put(SYSTEM_TENANT, "registry/api/instance_1", { expiresAtMs: 1_000 });
  });
  await forget(url, { tenant: "versions", floor: 10 });
}

/** As after more removals than are remembered: new keys begin above that version. */
async function forget(url: string, { tenant, floor }: { tenant: string; floor: number }): Promise<void> {
  if (url.startsWith("redis:")) {
    const head = `${namespaceOf(url)}:{${tenant}}:head`;
    await (await sharedRedis()).command("HSET", head, "floor", String(floor));
    return;
  }
  const database = new DatabaseSync(url.slice("sqlite:".length));
  database.prepare("UPDATE tenant SET version_floor = ? WHERE name = ?").run(floor, tenant);
  database.close();
}

/** All that can be asked for, but for what belongs to no tenant. Who asks claims what is open. */
export async function pictureOf(url: string): Promise<unknown> {
  return withStore(url, async (store) => {
    const tenants = (await store.tenants()).filter(({ tenant }) => tenant !== SYSTEM_TENANT);
    const each = tenants.map(async ({ tenant, lastSeq }) => {
      const log = await store.log(tenant, { after: 0, limit: 10_000 });
      const executions = [...new Set(log.flatMap(({ execution }) => execution ?? []))].toSorted();
      const query = { after: 0, limit: 10_000 };
      const logs = executions.map((execution) => store.log(tenant, { ...query, execution }));
      return {
        tenant,
        lastSeq,
        log,
        logs: await Promise.all(logs),
        entries: await store.scan(tenant, { prefix: "", limit: 10_000 }),
        next: await lastVersions(store, tenant),
      };
    });
    const expired = (await store.expired(100)).filter(({ tenant }) => tenant !== SYSTEM_TENANT);
    const claims = await store.claim({ limit: 100 });
    await store.release(claims);
    return {
      tenants: await Promise.all(each),
      expired,
      open: claims.map(({ tenant, execution }) => `${tenant} ${execution}`).toSorted(),
    };
  });
}

/** Of keys that are not there, as far as anybody remembers. */
async function lastVersions(store: Store, tenant: string): Promise<unknown[]> {
  const keys = ["removed", "again", "expired", "never"];
  return Promise.all(keys.map((key) => store.commit(tenant, { expect: [{ key, version: 0, last: -1 }] })));
}
