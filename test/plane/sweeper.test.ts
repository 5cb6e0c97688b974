// What removes the expired, over every embedded store: all of it, with its record, in small batches, by a timer that is there only
// while something can expire, and never what has been written again.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Clock } from "../../src/ports/clock.ts";
import { bound, HOUR_MS, type MakePlane, MINUTE_MS, PLANES, type PlaneRig } from "./rig.ts";

for (const [name, make] of PLANES) describe(`${name}: the sweeper`, () => sweeperOf(make));

/** The clock, and how many of its timers are set. */
function countingClock(clock: Clock): Clock & { timers: number } {
  const counting = {
    now: () => clock.now(),
    wallTime: () => clock.wallTime(),
    timers: 0,
    after(delayMs: number, run: () => void) {
      counting.timers++;
      let isSet = true;
      const unset = (): void => {
        if (isSet) counting.timers--;
        isSet = false;
      };
      const cancel = clock.after(delayMs, () => {
        unset();
        run();
      });
      return () => {
        unset();
        cancel();
      };
    },
  };
  return counting;
}

/** Until `count` records of that type are in the log. */
async function logged(rig: PlaneRig, type: string, count: number): Promise<void> {
  for (;;) {
    const found = (await rig.log("t")).filter((record) => record.type === type);
    if (found.length >= count) return assert.equal(found.length, count);
    await new Promise((turn) => setImmediate(turn));
  }
}

function sweeperOf(make: MakePlane): void {
  test("sessions and values that have expired are removed, each with its record", async () => {
    await using rig = await make();
    rig.plane.start();
    const { sessions, state } = rig.plane.tenant("t");
    const { id } = await sessions.create({ user: "u", idleMs: 2 * MINUTE_MS });
    await state.put("ns", "k", { value: 1, ttlMs: MINUTE_MS });
    await state.put("ns", "stays", { value: 1 });
    await rig.clock.advance(MINUTE_MS);
    await logged(rig, "state_expired", 1);
    await rig.clock.advance(MINUTE_MS);
    await logged(rig, "session_expired", 1);
    const [ofState, ofSession] = (await rig.log("t")).slice(-2);
    assert.deepEqual(ofState?.payload, { namespace: "ns", key: "k", version: 1 });
    assert.deepEqual([ofSession?.session, ofSession?.payload], [id, { user: "u", version: 1 }]);
    assert.deepEqual(
      (await rig.entries("t")).map(({ key }) => key),
      ["state/ns/stays"],
    );
    assert.deepEqual(await rig.store.expired(10), []);
  });

  test("it has a timer only while something can expire, and one at most", async () => {
    await using rig = await make();
    const clock = countingClock(rig.clock);
    const plane = rig.other({ clock });
    const { sessions, state } = plane.tenant("t");
    plane.start();
    await state.put("ns", "stays", { value: 1 });
    assert.equal(clock.timers, 0);
    await state.put("ns", "a", { value: 1, ttlMs: 3_000 });
    assert.equal(clock.timers, 1);
    await state.put("ns", "b", { value: 1, ttlMs: 2_000 });
    await sessions.create({ user: "u", idleMs: 5_000 });
    assert.equal(clock.timers, 1);
    await rig.clock.advance(2_000);
    await logged(rig, "state_expired", 1);
    await rig.clock.advance(1_000);
    await logged(rig, "state_expired", 2);
    await rig.clock.advance(2_000);
    await logged(rig, "session_expired", 1);
    await plane.stop();
    assert.equal(clock.timers, 0);
    await state.put("ns", "c", { value: 1, ttlMs: 1_000 });
    assert.equal(clock.timers, 0);
  });

  test("when the last of it is gone, so is the timer, until something is written that expires", async () => {
    await using rig = await make();
    const clock = countingClock(rig.clock);
    const plane = rig.other({ clock });
    const { state } = plane.tenant("t");
    plane.start();
    for (let round = 1; round <= 3; round++) {
      await state.put("ns", "k", { value: 1, ttlMs: 1_000 });
      assert.equal(clock.timers, 1);
      await rig.clock.advance(1_000);
      await logged(rig, "state_expired", round);
      await rig.clock.advance(0);
      assert.equal(clock.timers, 0);
    }
  });

  test("what was left by a process that has ended is removed by the next, at once or when it is time", async () => {
    await using rig = await make();
    const { state } = rig.plane.tenant("t");
    await state.put("ns", "past", { value: 1, ttlMs: MINUTE_MS });
    await state.put("ns", "to come", { value: 1, ttlMs: HOUR_MS });
    await rig.clock.advance(MINUTE_MS);
    const plane = await rig.restart();
    assert.equal((await rig.log("t")).length, 2);
    plane.start();
    await logged(rig, "state_expired", 1);
    // So that it has looked how long until the next.
    await rig.clock.advance(0);
    await rig.clock.advance(HOUR_MS);
    await logged(rig, "state_expired", 2);
  });

  test("much that expires at once goes in batches, with turns for others between", async () => {
    await using rig = await make();
    const { state } = rig.plane.tenant("t");
    const keys = Array.from({ length: 300 }, (_, index) => `k${index}`);
    await Promise.all(keys.map((key) => state.put("ns", key, { value: 1, ttlMs: 1_000 })));
    await rig.clock.advance(1_000);
    const batches: number[] = [];
    const plane = rig.other({
      wrap: (store) => ({
        ...bound(store),
        expired: async (limit) => {
          const found = await store.expired(limit);
          batches.push(found.length);
          return found;
        },
      }),
    });
    plane.start();
    await logged(rig, "state_expired", 300);
    await plane.stop();
    assert.deepEqual(batches.slice(0, 5), [64, 64, 64, 64, 44]);
    assert.deepEqual(await rig.entries("t"), []);
  });

  test("replicas that remove the same write one record for each", async () => {
    await using rig = await make();
    const { state } = rig.plane.tenant("t");
    const keys = Array.from({ length: 100 }, (_, index) => `k${index}`);
    await Promise.all(keys.map((key) => state.put("ns", key, { value: 1, ttlMs: 1_000 })));
    await rig.clock.advance(1_000);
    const replicas = [rig.plane, rig.other(), rig.other()];
    for (const plane of replicas) plane.start();
    while ((await rig.store.expired(1)).length > 0) await new Promise((turn) => setImmediate(turn));
    await Promise.all(replicas.map((plane) => plane.stop()));
    await logged(rig, "state_expired", 100);
  });

  test("what is written again between finding and removing it stays, also when that has expired too", async () => {
    await using rig = await make();
    const { state } = rig.plane.tenant("t");
    await state.put("ns", "again", { value: 1, ttlMs: 1_000 });
    await state.put("ns", "twice", { value: 1, ttlMs: 1_000 });
    await rig.clock.advance(1_000);
    let found = 0;
    const { promise: writtenAgain, resolve } = Promise.withResolvers<void>();
    const plane = rig.other({
      wrap: (store) => ({
        ...bound(store),
        expired: async (limit) => {
          const list = await store.expired(limit);
          if (found++ > 0) return list;
          await state.put("ns", "again", { value: 2 });
          await state.put("ns", "twice", { value: 2, ttlMs: 1_000 });
          await rig.clock.advance(1_000);
          resolve();
          return list;
        },
      }),
    });
    plane.start();
    await writtenAgain;
    while ((await rig.store.expired(1)).length > 0) await rig.clock.advance(1_000);
    await logged(rig, "state_expired", 1);
    await plane.stop();
    assert.equal((await state.get("ns", "again"))?.value, 2);
    assert.deepEqual((await rig.log("t")).at(-1)?.payload, { namespace: "ns", key: "twice", version: 2 });
  });

  test("when the store fails it is told, and tries again after a while", async () => {
    await using rig = await make();
    const { state } = rig.plane.tenant("t");
    await state.put("ns", "k", { value: 1, ttlMs: 1_000 });
    await rig.clock.advance(1_000);
    const failures: unknown[] = [];
    const plane = rig.other({
      onSweepFailed: (error) => failures.push(error),
      wrap: (store) => ({
        ...bound(store),
        expired: async (limit) =>
          failures.length < 2 ? Promise.reject(new Error("not now")) : store.expired(limit),
      }),
    });
    plane.start();
    for (let round = 0; round < 2; round++) await rig.clock.advance(10_000);
    await logged(rig, "state_expired", 1);
    assert.equal(failures.length, 2);
  });
}
