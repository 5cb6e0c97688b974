import assert from "node:assert/strict";
import { test } from "node:test";
import { testClock } from "../../src/compose/testing.ts";
import { readRule } from "../../src/config/route-rule.ts";
import type { KeyBook, KeyChange, Publication, Published } from "../../src/core/traefik-keys.ts";
import { RoutePublisher } from "../../src/discovery/route-publisher.ts";
import type { RouteKeys } from "../../src/ports/routing.ts";

/** Redis as the publisher sees it: a book, what was asked of it, and whether it can be asked. */
class Redis implements RouteKeys {
  book: KeyBook = new Map();
  readonly changes: KeyChange[] = [];
  problem: string | undefined;
  isClosed = false;
  /** Set: exchanges wait for it. */
  busy: Promise<void> | undefined;

  async exchange(change: (book: KeyBook, nowMs: number) => KeyChange): Promise<void> {
    await this.busy;
    if (this.problem !== undefined) throw new Error(this.problem);
    const made = change(this.book, 0);
    this.changes.push(made);
    const book = new Map<string, Publication>(this.book);
    for (const [name, publication] of made.note) {
      if (publication) book.set(name, publication);
      else book.delete(name);
    }
    this.book = book;
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }

  /** How many servers each change said there are. */
  said(): number[] {
    return this.changes.map(({ write }) => write.filter(([key]) => key.endsWith("/url")).length);
  }
}

function rig() {
  const read = readRule("Path(`/`)");
  assert.ok("match" in read);
  const { match } = read;
  const details = { rule: "Path(`/`)", match, entryPoints: [], middlewares: [] };
  const published: Published = {
    publisher: "me",
    namespace: "shop",
    routes: [{ service: "api", ...details, target: { type: "runtime" } }],
    servers: [],
  };
  const redis = new Redis();
  const clock = testClock();
  const troubles: (string | undefined)[] = [];
  const now = { servers: 1 };
  const publisher = new RoutePublisher({
    keys: redis,
    clock,
    ttlMs: 15_000,
    heartbeatMs: 5_000,
    published: () => ({
      ...published,
      servers: Array.from({ length: now.servers }, (_, index) => ({
        balancer: "shop-api",
        instance: `me-${index}`,
        url: `http://10.0.0.1:${80 + index}`,
      })),
    }),
    onTrouble: (reason) => troubles.push(reason),
  });
  return { redis, clock, publisher, troubles, now };
}

test("it tells at the start, when something has changed, and with every heartbeat", async () => {
  const { redis, clock, publisher, now } = rig();
  publisher.start();
  await clock.advance(0);
  assert.deepEqual(redis.said(), [1]);
  publisher.look();
  await clock.advance(0);
  assert.deepEqual(redis.said(), [1]);
  now.servers = 2;
  publisher.look();
  publisher.look();
  await clock.advance(0);
  assert.deepEqual(redis.said(), [1, 2]);
  await clock.advance(10_000);
  assert.deepEqual(redis.said(), [1, 2, 2, 2]);
});

test("what changes while Redis is busy is told in one go", async () => {
  const { redis, clock, publisher, now } = rig();
  const { promise, resolve } = Promise.withResolvers<void>();
  redis.busy = promise;
  publisher.start();
  await clock.advance(0);
  for (let servers = 2; servers < 9; servers++) {
    now.servers = servers;
    publisher.look();
    await clock.advance(0);
  }
  resolve();
  await clock.advance(0);
  assert.deepEqual(redis.said(), [1, 8]);
});

test("a Redis that cannot be told is complained of once, and told with the next heartbeat", async () => {
  const { redis, clock, publisher, troubles } = rig();
  redis.problem = "refused";
  publisher.start();
  await clock.advance(10_000);
  assert.deepEqual(troubles, ["refused"]);
  redis.problem = undefined;
  await clock.advance(5_000);
  assert.deepEqual(troubles, ["refused", undefined]);
  assert.deepEqual(redis.said(), [1]);
});

test("when it leaves it takes everything back, once, and tells no more", async () => {
  const { redis, clock, publisher, now } = rig();
  publisher.start();
  await clock.advance(0);
  await publisher.leave();
  assert.deepEqual(redis.said(), [1, 0]);
  assert.equal(redis.book.size, 0);
  now.servers = 3;
  publisher.look();
  await clock.advance(60_000);
  assert.ok(redis.said().every((servers, index) => index === 0 || servers === 0));
  await publisher.close();
  assert.ok(redis.isClosed);
});

test("a Redis that does not answer is let go of without an answer", async () => {
  const { redis, clock, publisher } = rig();
  publisher.start();
  await clock.advance(0);
  redis.busy = new Promise(() => {});
  const closed = publisher.close();
  await clock.advance(400);
  assert.ok(!redis.isClosed);
  await clock.advance(100);
  await closed;
  assert.ok(redis.isClosed);
});
