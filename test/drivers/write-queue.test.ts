// Bytes on their way out: together, in order, bounded, with a writer that takes its time.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Lost, WriteQueue, type WriteQueueOptions } from "../../src/drivers/write-queue.ts";

const KIB = 1024;
const LINES = { kind: "lines", count: 1 } as const;
const RECORDS = { kind: "records", count: 1 } as const;

/** A queue whose writer takes a batch when it is told to. */
function open(overflow: WriteQueueOptions["overflow"] = "pause") {
  const batches: string[] = [];
  const losses: Lost[] = [];
  let take: (() => void) | undefined;
  let asked = Promise.withResolvers<void>();
  const queue = new WriteQueue({
    write: (bytes) =>
      new Promise((resolve) => {
        take = () => {
          batches.push(bytes.toString());
          resolve();
        };
        asked.resolve();
        asked = Promise.withResolvers();
      }),
    overflow,
    onLost: (lost) => losses.push(lost),
  });
  /** Waits until the writer is asked, and lets it write. */
  const next = async (): Promise<void> => {
    if (take === undefined) await asked.promise;
    const now = take;
    take = undefined;
    now?.();
  };
  const fill = (): void => {
    for (let count = 0; count <= 16; count++) queue.write(Buffer.alloc(64 * KIB, "x"), LINES);
  };
  return { queue, batches, losses, next, fill };
}

test("what is written in one turn leaves in one call, as it was, and flush waits for it", async () => {
  const { queue, batches, next } = open();
  const memory = Buffer.from("one\n");
  queue.write(memory, LINES);
  memory.write("two\n");
  queue.write(memory, LINES);
  assert.equal(queue.waiting, 8);
  const flushed = queue.flush();
  await next();
  await flushed;
  assert.deepEqual(batches, ["one\ntwo\n"]);
  assert.equal(queue.waiting, 0);
});

test("what is taken at the end is what nobody has begun to write", async () => {
  const { queue, batches, next } = open();
  queue.write(Buffer.from("a"), LINES);
  assert.equal(queue.writing, false);
  await new Promise((turn) => setImmediate(turn));
  queue.write(Buffer.from("b"), LINES);
  assert.equal(queue.writing, true);
  assert.equal(String(queue.takeRest()), "b");
  assert.equal(String(queue.takeRest()), "");
  await next();
  await queue.flush();
  assert.deepEqual(batches, ["a"]);
});

test("what comes while the writer writes is the next batch, and counts as waiting", async () => {
  const { queue, batches, next } = open();
  queue.write(Buffer.from("a"), LINES);
  await new Promise((turn) => setImmediate(turn));
  queue.write(Buffer.from("b"), LINES);
  assert.equal(queue.waiting, 2);
  const flushed = queue.flush();
  await next();
  await next();
  await flushed;
  assert.deepEqual(batches, ["a", "b"]);
});

test("thousands of batches of all sizes come out in order", async () => {
  const batches: Buffer[] = [];
  const queue = new WriteQueue({
    write: async (bytes) => {
      await new Promise((turn) => setImmediate(turn));
      batches.push(Buffer.from(bytes));
    },
    overflow: "pause",
    onLost: () => assert.fail("lost"),
  });
  const expected: Buffer[] = [];
  for (let size = 1; size < 3000; size++) {
    const bytes = Buffer.alloc((size * 7919) % 5000, String(size));
    expected.push(bytes);
    queue.write(bytes, LINES);
    if (size % 10 === 0) await new Promise((turn) => setImmediate(turn));
  }
  await queue.flush();
  assert.ok(Buffer.concat(batches).equals(Buffer.concat(expected)));
});

test("pause: it is full above its bound, and those who wait are let in one after the other while there is room", async () => {
  const { queue, next, fill } = open();
  await queue.drained();
  fill();
  assert.equal(queue.isFull(), true);
  const order: number[] = [];
  const wait = async (index: number): Promise<void> => {
    await queue.drained();
    assert.equal(queue.isFull(), false, `${index} was let in`);
    order.push(index);
    queue.write(Buffer.alloc(600 * KIB), LINES);
  };
  const all = Promise.all([1, 2, 3, 4].map(wait));
  await new Promise((turn) => setImmediate(turn));
  // The batch has left for the writer, so two fit.
  await new Promise((turn) => setImmediate(turn));
  assert.deepEqual(order, [1, 2]);
  void (async () => {
    for (;;) await next();
  })();
  await all;
  assert.deepEqual(order, [1, 2, 3, 4]);
  await queue.flush();
});

test("pause: lines that come all the same are taken; records are lost only far above the bound, and are counted", async () => {
  const { queue, losses, next } = open();
  for (let count = 0; count < 17; count++) queue.write(Buffer.alloc(1024 * KIB, "x"), LINES);
  queue.write(Buffer.from("r"), RECORDS);
  queue.write(Buffer.from("r"), RECORDS);
  assert.equal(queue.waiting, 17 * 1024 * KIB);
  await next();
  await queue.flush();
  assert.deepEqual(losses, [{ lines: 0, records: 2 }]);
});

test("drop: it is never full; lines that find no room are counted, records find some", async () => {
  const { queue, losses, batches, next, fill } = open("drop");
  fill();
  assert.equal(queue.isFull(), false);
  queue.write(Buffer.from("gone\n"), { kind: "lines", count: 3 });
  queue.write(Buffer.from("said\n"), RECORDS);
  assert.deepEqual(losses, []);
  await next();
  await queue.flush();
  assert.deepEqual(losses, [{ lines: 3, records: 0 }]);
  assert.match(batches[0] ?? "", /xsaid\n$/);
});
