// A replica that stops in the middle of everything and wakes up when others have taken over: its leases have run out, and nothing that it
// writes counts any more.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import type { Claim, Ownerships } from "../../src/ports/store.ts";
import { done, record } from "../contracts/store-tools.ts";
import { RedisServer } from "./server.ts";
import { openStoreIn, storeConfig } from "./store-rig.ts";

const LEASE_MS = 600;

let server: RedisServer;
before(async () => {
  server = await RedisServer.start();
});
after(() => server[Symbol.asyncDispose]());

async function opened() {
  const { namespace } = storeConfig({ url: "" });
  const store = await openStoreIn({ url: server.url }, { namespace, leaseMs: LEASE_MS });
  await done(store.commit("t", { put: [{ key: "open/execution_1", value: { definition: "d" } }] }));
  return { store, namespace };
}

/** Asks until there is one. */
async function claimed(store: Ownerships): Promise<Claim> {
  for (;;) {
    const [claim] = await store.claim({ limit: 1 });
    if (claim) return claim;
  }
}

function ownerOf(namespace: string) {
  const program = join(import.meta.dirname, "../fixtures/redis-owner.ts");
  const words = [program, server.url, namespace, String(LEASE_MS)];
  const child = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "inherit"] });
  const lines: string[] = [];
  const reader = createInterface({ input: child.stdout });
  reader.on("line", (line) => lines.push(line));
  const until = async (isSo: () => boolean): Promise<void> => {
    while (!isSo()) await once(reader, "line");
  };
  return { child, lines, until, ended: once(reader, "close") };
}

test("an owner that is stopped past its lease and woken is fenced", { timeout: 30_000 }, async () => {
  const { store, namespace } = await opened();
  const { child, lines, until, ended } = ownerOf(namespace);
  await until(() => lines.length > 50);
  // As long as it says so, it is nobody else's.
  assert.deepEqual(await store.claim({ limit: 1 }), []);
  child.kill("SIGSTOP");
  const owner = await claimed(store);
  const write = () => store.commit("t", { owner, append: [record("execution_1", { by: process.pid })] });
  const { firstSeq } = await done(write());
  child.kill("SIGCONT");
  await ended;
  assert.equal(lines.at(-1), "fenced");
  const last = Math.max(
    ...lines.filter((line) => line.startsWith("ack ")).map((line) => Number(line.slice(4))),
  );
  assert.ok(last < firstSeq, `${last} was acknowledged to who had lost it`);
  await done(write());
  const log = await store.log("t", { after: 0, limit: 100_000, execution: "execution_1" });
  const owners = log.map(({ payload }) => (payload as { by: number }).by);
  assert.equal(owners.lastIndexOf(child.pid ?? 0), owners.indexOf(process.pid) - 1);
  await store.close();
});

test(
  "one that is killed is followed when its lease is over, and not before",
  { timeout: 30_000 },
  async () => {
    const { store, namespace } = await opened();
    const { child, lines, until, ended } = ownerOf(namespace);
    await until(() => lines.length > 20);
    child.kill("SIGKILL");
    await ended;
    const [last] = (await store.log("t", { after: 0, limit: 100_000 })).slice(-1);
    const owner = await claimed(store);
    const { timeMs } = await done(store.commit("t", { owner, append: [record("execution_1")] }));
    assert.ok(timeMs - (last?.timeMs ?? 0) > LEASE_MS / 3, "it was taken over while it may have lived");
    await store.close();
  },
);

test("one that hands over is followed at once", async () => {
  const { namespace, store: one } = await opened();
  const two = await openStoreIn({ url: server.url }, { namespace, leaseMs: 60_000 });
  const [claim] = await one.claim({ limit: 1 });
  assert.ok(claim);
  assert.deepEqual(await two.claim({ limit: 1 }), []);
  await one.release([claim]);
  assert.equal((await two.claim({ limit: 1 })).length, 1);
  await Promise.all([one.close(), two.close()]);
});
