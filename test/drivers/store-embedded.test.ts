// How an embedded store shares its batches, and how it ends: with engines that note what is asked of them, or fail where a disk may.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { testClock } from "../../src/compose/testing.ts";
import { embeddedStore, type EmbeddedStoreOptions } from "../../src/drivers/store-embedded.ts";
import { memoryEngine } from "../../src/drivers/store-memory.ts";
import { openStoreAt } from "../../src/compose/store-at.ts";
import { systemClock } from "../../src/drivers/clock.ts";
import type { StoreEngine } from "../../src/ports/store-engine.ts";
import { done, record } from "../contracts/store-tools.ts";
import { storeFolder } from "./store-rig.ts";

/** An engine in memory that calls `onCommit` before each batch counts; `batches` has the number of records of each. */
function watched(onCommit: (batch: number) => void = () => {}) {
  const engine = memoryEngine();
  const batches: number[] = [];
  const { begin, append, commit } = bound(engine);
  return {
    batches,
    engine: Object.assign(engine, {
      begin(timeMs: number) {
        batches.push(0);
        begin(timeMs);
      },
      append(...[tenant, rows]: Parameters<StoreEngine["append"]>) {
        batches[batches.length - 1] = (batches.at(-1) ?? 0) + rows.length;
        return append(tenant, rows);
      },
      commit() {
        onCommit(batches.length);
        commit();
      },
    }),
  };
}

function bound(engine: StoreEngine) {
  return {
    begin: engine.begin.bind(engine),
    append: engine.append.bind(engine),
    commit: engine.commit.bind(engine),
  };
}

function storeOver(engine: StoreEngine, options: Partial<EmbeddedStoreOptions> = {}) {
  return embeddedStore(engine, { clock: testClock(), failpoint: () => {}, ...options });
}

const append = (count: number, payload: string = "") => ({
  append: Array.from({ length: count }, () => record(undefined, payload)),
});

test("what arrives in one turn shares a batch, of 256 records at most", async () => {
  const { engine, batches } = watched();
  const store = storeOver(engine);
  await Promise.all(Array.from({ length: 600 }, () => done(store.commit("t", append(1)))));
  assert.deepEqual(batches, [256, 256, 88]);
  await Promise.all([done(store.commit("t", append(200))), done(store.commit("u", append(57)))]);
  assert.deepEqual(batches.slice(3), [200, 57]);
});

test("a batch has 256 KiB at most, and one commit that is larger goes alone", async () => {
  const { engine, batches } = watched();
  const store = storeOver(engine);
  const large = append(1, "x".repeat(100_000));
  await Promise.all(Array.from({ length: 5 }, () => done(store.commit("t", large))));
  assert.deepEqual(batches, [2, 2, 1]);
  const larger = [append(1_000), append(1), append(1, "x".repeat(1_000_000)), append(1)];
  await Promise.all(larger.map((commit) => done(store.commit("t", commit))));
  assert.deepEqual(batches.slice(3), [1_000, 1, 1, 1]);
});

test("nobody hears of a write before its batch counts", async () => {
  const heard: number[] = [];
  const counted: number[] = [];
  const { engine } = watched((batch) => counted.push(batch, heard.length));
  const store = storeOver(engine);
  await Promise.all(
    Array.from({ length: 300 }, (_, index) => store.commit("t", append(1)).then(() => heard.push(index))),
  );
  assert.deepEqual(counted, [1, 0, 2, 256]);
  assert.deepEqual(
    heard,
    Array.from({ length: 300 }, (_, index) => index),
  );
});

test("requests and timers get their turn while writers keep it busy", { timeout: 60_000 }, async () => {
  using folder = storeFolder();
  const store = await openStoreAt("sqlite:haraka.db", { clock: systemClock(), cwd: folder.path });
  const server = createServer((_, response) => setTimeout(() => response.end("here"), 1)).listen(
    0,
    "127.0.0.1",
  );
  await once(server, "listening");
  let going = true;
  const write = async (): Promise<void> => {
    while (going) await store.commit("t", append(1));
  };
  const writers = Promise.all(Array.from({ length: 512 }, write));
  const { port } = server.address() as AddressInfo;
  for (let request = 0; request < 5; request++)
    assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), "here");
  going = false;
  await writers;
  server.close();
  await store.close();
});

test("a batch that fails is the last: all that wait are turned away, nothing is tried again", async () => {
  const disk = new Error("disk I/O error");
  const { engine, batches } = watched((batch) => {
    if (batch === 2) throw disk;
  });
  const told: Error[] = [];
  let closed = 0;
  Object.assign(engine, { close: () => closed++ });
  const store = storeOver(engine, { onLost: (error) => told.push(error) });
  const results = await Promise.allSettled(Array.from({ length: 600 }, () => store.commit("t", append(1))));
  const turnedAway = results.flatMap((result) =>
    result.status === "rejected" ? [result.reason as Error] : [],
  );
  assert.equal(turnedAway.length, 600 - 256);
  const [error] = told;
  assert.deepEqual(new Set(turnedAway), new Set([error]));
  assert.equal(told.length, 1);
  assert.equal(error?.name, "StoreError");
  assert.equal(error?.cause, disk);
  assert.match(
    error?.message ?? "",
    /^cannot write to the store in memory: disk I\/O error; nothing is acknow/,
  );
  await assert.rejects(store.commit("t", append(1)), error);
  await assert.rejects(store.get("t", ["k"]), error);
  await assert.rejects(store.tenants(), error);
  await assert.rejects(store.claim({ limit: 1 }), error);
  assert.deepEqual([batches.length, closed], [2, 0]);
  await store.close();
  await store.close();
  assert.deepEqual([batches.length, closed], [2, 1]);
});

test("close waits for all batches, and then lets go", async () => {
  const { engine, batches } = watched();
  let closed = 0;
  Object.assign(engine, { close: () => (closed = batches.length) });
  const store = storeOver(engine);
  const writes = Promise.all(Array.from({ length: 600 }, () => done(store.commit("t", append(1)))));
  await Promise.all([store.close(), store.close(), writes]);
  assert.equal(closed, 3);
});

test("time never goes back, also when the clock is set back an hour", async () => {
  let wallMs = Date.UTC(2026, 0, 1);
  const store = storeOver(memoryEngine(), { clock: { ...testClock(), wallTime: () => wallMs } });
  const expiresAtMs = wallMs + 1_000;
  const first = await done(store.commit("t", { put: [{ key: "k", value: 1, expiresAtMs }] }));
  assert.equal(first.timeMs, wallMs);
  wallMs += 1_000;
  assert.deepEqual(await store.get("t", ["k"]), [undefined]);
  wallMs -= 3_600_000;
  // It has been seen expired.
  assert.deepEqual(await store.get("t", ["k"]), [undefined]);
  assert.equal((await done(store.commit("t", append(1)))).timeMs, expiresAtMs);
  wallMs += 3_600_001;
  assert.equal((await done(store.commit("t", append(1)))).timeMs, expiresAtMs + 1);
});

test("time goes on while the clock is set back, and after a start with such a clock", async () => {
  const clock = testClock();
  let shiftMs = 0;
  const shifted = { ...clock, wallTime: () => clock.wallTime() + shiftMs };
  const startMs = clock.wallTime();
  const engine = memoryEngine();
  const entry = { key: "k", value: 1, expiresAtMs: startMs + 1_000 };
  const store = storeOver(engine, { clock: shifted });
  await done(store.commit("t", { put: [entry] }));
  shiftMs = -3_600_000;
  await clock.advance(999);
  assert.equal((await store.get("t", ["k"]))[0]?.value, 1);
  assert.equal(await store.expiresInMs(), 1);
  await clock.advance(1);
  assert.deepEqual(await store.get("t", ["k"]), [undefined]);
  await done(store.commit("t", append(1)));
  const next = storeOver(engine, { clock: shifted });
  await clock.advance(500);
  assert.equal((await done(next.commit("t", append(1)))).timeMs, startMs + 1_500);
});

test("too much waiting is turned away, and what waits is not", async () => {
  const store = storeOver(memoryEngine(), { waitingBytesMax: 10_000 });
  const waiting = store.commit("t", append(1, "x".repeat(6_000)));
  await assert.rejects(store.commit("t", append(1, "x".repeat(6_000))), {
    name: "StoreError",
    message: /1 writes with 62\d\d bytes wait already, and this one has 62\d\d; write less at once$/,
  });
  await done(waiting);
  await done(store.commit("t", append(1, "x".repeat(6_000))));
});
