// A process that writes to a database is killed: at every failpoint, and at any moment. What it had been told is durable has to be
// there, and what is there has to be a beginning of what it had submitted: nothing invented, reordered or half done.
import assert from "node:assert/strict";
import process from "node:process";
import { describe, test } from "node:test";
import { openStoreAt } from "../../src/compose/store-at.ts";
import { systemClock } from "../../src/drivers/clock.ts";
import { FAILPOINTS } from "../../src/ports/failpoint.ts";
import type { LogRecord, Store } from "../../src/ports/store.ts";
import { JAVASCRIPT_RUNTIMES } from "../e2e/support/programs.ts";
import { type Folder, storeFolder, Writer, type WriterOptions } from "./store-rig.ts";

const WRITERS = 8;
/** The long suite sets more. */
const LOOPS = Number(process.env["HARAKA_KILL_LOOPS"] ?? 30);

const open = (folder: Folder) => openStoreAt("sqlite:haraka.db", { clock: systemClock(), cwd: folder.path });

function writer(folder: Folder, options: WriterOptions = {}): Writer {
  return new Writer(`sqlite:${folder.path}/haraka.db`, { writers: WRITERS, ...options });
}

interface Written {
  n: number;
  part: number;
}

/** The numbers of the commits that are there, ascending, each whole. */
async function recovered(store: Store): Promise<number[]> {
  const found: number[] = [];
  for (const { tenant, lastSeq } of await store.tenants()) {
    const log = await store.log(tenant, { after: 0, limit: lastSeq + 1 });
    assert.deepEqual(
      log.map(({ seq }) => seq),
      Array.from({ length: lastSeq }, (_, index) => index + 1),
    );
    const latest = new Map<string, number>();
    for (let index = 0; index < log.length; index += 2) {
      const [first, second] = log.slice(index, index + 2).map(({ payload }) => payload as unknown as Written);
      assert.deepEqual([first?.part, second?.part, second?.n], [0, 1, first?.n]);
      found.push(first?.n ?? 0);
      latest.set(executionOf(log[index]), first?.n ?? 0);
    }
    const { items } = await store.scan(tenant, { prefix: "writer/", limit: 1_000 });
    const kept = items.map(({ key, value }) => [
      key.replace("writer/", "execution_"),
      (value as { n: number }).n,
    ]);
    assert.deepEqual(Object.fromEntries(kept), Object.fromEntries(latest));
    for (const { key, version } of items) {
      const execution = key.replace("writer/", "execution_");
      const ofIt = await store.log(tenant, { after: 0, limit: lastSeq, execution });
      assert.deepEqual(
        ofIt,
        log.filter((record) => record.execution === execution),
      );
      assert.equal(ofIt.length, version * 2);
    }
  }
  return found.toSorted((a, b) => a - b);
}

const executionOf = (record: LogRecord | undefined): string => record?.execution ?? "";

/** Throws unless the database holds a beginning of what was submitted, and all of what was acknowledged. */
async function assertSound(folder: Folder, acknowledged: readonly number[]): Promise<number> {
  const store = await open(folder);
  try {
    const there = await recovered(store);
    assert.deepEqual(
      there,
      Array.from({ length: there.length }, (_, index) => index + 1),
    );
    assert.ok(Math.max(0, ...acknowledged) <= there.length, "an acknowledged commit is gone");
    return there.length;
  } finally {
    await store.close();
  }
}

describe("killed at a failpoint", () => {
  // The others are the plane's, and nothing of it runs here.
  for (const label of Object.keys(FAILPOINTS).filter((each) => each.startsWith("store-"))) {
    const times = label === "store-create" || label === "store-migrate" ? [1] : [1, 2, 7];
    for (const count of times) {
      test(`${label}, reached ${count} times`, { timeout: 60_000 }, async () => {
        using folder = storeFolder();
        await using killed = writer(folder, { env: { HARAKA_FAILPOINT: `${label}:${count}` } });
        await killed.ended;
        assert.equal(killed.child.signalCode, "SIGKILL", killed.lines.join("\n"));
        const kept = await assertSound(folder, killed.acknowledged);
        if (label === "store-write" && count === 1) assert.equal(kept, 0);
        if (label === "store-commit" && count === 1)
          assert.deepEqual([kept > 0, killed.acknowledged], [true, []]);
        // It goes on as if nothing had been.
        await using next = writer(folder, { writers: 0 });
        await next.until((lines) => lines.length > 0);
        assert.deepEqual(next.lines, ["open"]);
      });
    }
  }
});

test(`killed at any moment, ${LOOPS} times`, { timeout: 10_000 * LOOPS }, async () => {
  for (let loop = 0; loop < LOOPS; loop++) {
    using folder = storeFolder();
    await using killed = writer(folder);
    const enough = Math.floor(Math.random() ** 2 * 1_500);
    await killed.until((lines) => lines.length > enough);
    await killed.kill();
    await assertSound(folder, killed.acknowledged);
  }
});

test("killed again and again, the same database goes on from where it was", { timeout: 60_000 }, async () => {
  using folder = storeFolder();
  let kept = 0;
  for (let loop = 0; loop < 4; loop++) {
    await using killed = writer(folder);
    await killed.until((lines) => lines.length > 40);
    await killed.kill();
    const store = await open(folder);
    const tenants = await store.tenants();
    await store.close();
    const records = tenants.reduce((sum, { lastSeq }) => sum + lastSeq, 0);
    assert.ok(records >= kept + killed.acknowledged.length * 2, `${records} after ${kept}`);
    kept = records;
  }
});

for (const [name, runtime] of Object.entries(JAVASCRIPT_RUNTIMES)) {
  test(`killed under ${name}, it is sound under this runtime`, { timeout: 60_000 }, async () => {
    using folder = storeFolder();
    await using killed = writer(folder, { runtime });
    await killed.until((lines) => lines.length > 100);
    await killed.kill();
    assert.ok(killed.acknowledged.length > 0, killed.lines.join("\n"));
    await assertSound(folder, killed.acknowledged);
  });
}
