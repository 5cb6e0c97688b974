// What is older than the retention goes, and nothing that anybody still needs; who asks for what is gone is told so.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { verifyWal } from "../../src/compose/store-report.ts";
import { BASE, BASES, throughSeqOf } from "../../src/core/plane-base.ts";
import { Engine } from "../../src/plane/engine.ts";
import { TenantExecutions } from "../../src/plane/executions.ts";
import { IntentRegistry } from "../../src/plane/intents.ts";
import { Retention } from "../../src/plane/retention.ts";
import { saga } from "../../src/plane/saga-builder.ts";
import type { Ownerships, Store } from "../../src/ports/store.ts";
import { LIMITS } from "./engine-rig.ts";
import { bound, HOUR_MS, MINUTE_MS, PLANES, type MakePlane, type PlaneRig, rejects, take } from "./rig.ts";

const KEEP_MS = 24 * HOUR_MS;

function retentionOver({ store, clock }: Pick<PlaneRig, "store" | "clock">): Retention {
  const onFailed = (error: unknown): never => assert.fail(String(error));
  return new Retention({ store, clock, keepMs: KEEP_MS, onLooked() {}, onFailed });
}

async function keptOf(rig: PlaneRig): Promise<number[]> {
  return (await rig.log("t")).map(({ seq }) => seq);
}

/** Nobody else has it, so nobody looks twice a second, for days, for what others have lost. */
function exclusive(store: Store & Ownerships): Store & Ownerships {
  if (store.leaseMs === undefined) return store;
  return new Proxy(store, {
    get: (target, name) => (name === "leaseMs" ? undefined : Reflect.get(target, name)),
  });
}

async function executionsOver(rig: PlaneRig) {
  const intents = new IntentRegistry({ sha256: (text) => text, fetch, bodyBytesMax: 1 << 20 });
  const engine = new Engine({
    store: exclusive(rig.store as Store & Ownerships),
    intents,
    clock: rig.clock,
    failpoint() {},
    keepMs: KEEP_MS,
    onError: (message) => assert.fail(message),
  });
  intents.register("quick", {}, ({ input }) => input);
  intents.registerSaga(saga("waits").signal("go"));
  await engine.recover();
  engine.run();
  const { sessions } = rig.plane.tenant("t");
  const executions = new TenantExecutions({ tenant: "t", engine, sessions, limits: LIMITS });
  const session = (await sessions.create({ user: "u" })).id;
  return { engine, executions, session };
}

function retentionContract(make: MakePlane): void {
  test("the log goes when it is old, the state it has come to stays, and a reader from before is told", async () => {
    await using rig = await make();
    const { state, wal } = rig.plane.tenant("t");
    const retention = retentionOver(rig);
    for (let value = 0; value < 5; value++) await state.put("n", `k${value % 3}`, { value });
    await rig.clock.advance(KEEP_MS);
    await state.put("n", "late", { value: 1 });
    await retention.look();
    assert.equal((await keptOf(rig)).length, 6);
    await rig.clock.advance(1);
    await retention.look();
    assert.deepEqual(await keptOf(rig), [6]);
    assert.deepEqual(
      (await state.list("n")).items.map(({ value, version }) => [value, version]),
      [
        [3, 2],
        [4, 2],
        [2, 1],
        [1, 1],
      ],
    );
    assert.deepEqual(
      (await wal.read()).items.map(({ seq }) => seq),
      [6],
    );
    assert.deepEqual(
      (await wal.read({ after: 5 })).items.map(({ seq }) => seq),
      [6],
    );
    const { signal } = new AbortController();
    await rejects(wal.read({ after: 0 }), "compacted", /kept from behind 5 on/);
    await rejects(wal.read({ after: 4 }), "compacted");
    await rejects(take(wal.tail({ after: 4, signal }), 1), "compacted");
    await rejects(take(state.watch("n", { after: 4, signal }), 1), "compacted");
    const [kept] = await take(wal.tail({ signal }), 1);
    assert.equal(kept?.seq, 6);
    const report = await verifyWal(rig.store);
    assert.deepEqual(report.problems, []);
    assert.deepEqual(
      report.tenants.map(({ firstSeq, events, lastSeq }) => [firstSeq, events, lastSeq]),
      [[6, 1, 6]],
    );
  });

  test("S3: a reader that falls behind what is kept misses nothing in silence", async () => {
    await using rig = await make();
    const { state, wal } = rig.plane.tenant("t");
    for (let value = 0; value < 200; value++) await state.put("n", "k", { value });
    const { signal } = new AbortController();
    const slow = wal.tail({ after: 0, signal })[Symbol.asyncIterator]();
    assert.equal((await slow.next()).value.seq, 1);
    await rig.clock.advance(KEEP_MS + 1);
    await retentionOver(rig).look();
    const seen = (async () => {
      for (let seq = 2; ; seq++) assert.equal((await slow.next()).value.seq, seq);
    })();
    await rejects(seen, "compacted");
  });

  test("nothing goes that an open execution goes by, and it goes once that has ended", async () => {
    await using rig = await make();
    const { engine, executions, session } = await executionsOver(rig);
    const retention = retentionOver(rig);
    const { id } = await executions.submit({ type: "waits", session, payload: {} });
    await rig.clock.advance(KEEP_MS + HOUR_MS);
    await retention.look();
    assert.equal((await keptOf(rig))[0], 2);
    assert.equal((await executions.get(id)).state, "running");
    const ended = executions.wait(id, { timeoutMs: 1e9 });
    await executions.signal(id, { name: "go" });
    assert.equal((await ended).state, "completed");
    await rig.clock.advance(KEEP_MS + HOUR_MS);
    await retention.look();
    assert.deepEqual(await keptOf(rig), []);
    assert.deepEqual((await verifyWal(rig.store)).problems, []);
    await engine.stop({ signal: AbortSignal.abort() });
  });

  test("what has ended goes, and a key stands for another execution then", async () => {
    await using rig = await make();
    const { engine, executions, session } = await executionsOver(rig);
    const { sessions } = rig.plane.tenant("t");
    const submit = async (of: string) => {
      const intent = { type: "quick", session: of, payload: 1, idempotencyKey: "k" };
      const { id } = await executions.submit(intent);
      return (await executions.wait(id, { timeoutMs: 1e9 })).id;
    };
    const first = await submit(session);
    await rig.clock.advance(HOUR_MS);
    assert.equal(await submit(session), first);
    await rig.clock.advance(KEEP_MS - HOUR_MS);
    await rejects(executions.get(first), "not-found");
    const second = await submit((await sessions.create({ user: "u" })).id);
    assert.notEqual(second, first);
    assert.deepEqual(
      (await executions.list()).items.map(({ id }) => id),
      [second],
    );
    await engine.stop({ signal: AbortSignal.abort() });
  });

  test("what had been folded and not let go of is let go of the next time", async () => {
    await using rig = await make();
    const { state } = rig.plane.tenant("t");
    for (let value = 0; value < 600; value++) await state.put("n", `k${value % 7}`, { value });
    await rig.clock.advance(KEEP_MS + 1);
    await state.put("n", "late", { value: 1 });
    const broken = { ...bound(rig.store), trim: () => Promise.reject(new Error("the process has ended")) };
    await assert.rejects(retentionOver({ store: broken, clock: rig.clock }).look(), /has ended/);
    const [base] = await rig.store.get("t", [BASE]);
    assert.equal(throughSeqOf(base), 600);
    assert.deepEqual((await verifyWal(rig.store)).problems, []);
    assert.equal((await keptOf(rig)).length, 601);
    await retentionOver(rig).look();
    assert.deepEqual(await keptOf(rig), [601]);
  });

  test("what is changed and removed later changes in what is kept of the beginning, and goes from it", async () => {
    await using rig = await make();
    const { state, sessions } = rig.plane.tenant("t");
    const retention = retentionOver(rig);
    const bases = async () =>
      (await rig.entries("t")).filter(({ key }) => key.startsWith(BASES)).map(({ value }) => value);
    const age = async (): Promise<void> => {
      await rig.clock.advance(KEEP_MS + 1);
      await retention.look();
    };
    await state.put("n", "k", { value: 1 });
    await age();
    assert.deepEqual(await bases(), [{ value: 1, version: 1 }]);
    await state.put("n", "k", { value: 2 });
    const { id } = await sessions.create({ user: "u" });
    await age();
    assert.equal((await bases()).length, 3);
    await rejects(sessions.patch(id, { context: { a: 1 } }), "not-found");
    await state.delete("n", "k");
    rig.plane.start();
    await rig.clock.advance(MINUTE_MS);
    await age();
    assert.deepEqual(await bases(), []);
  });

  test("it looks every hour, and stops", async () => {
    await using rig = await make();
    const plane = rig.other({ retentionMs: KEEP_MS });
    plane.start();
    await plane.tenant("t").state.put("n", "k", { value: 1 });
    for (let hours = 0; hours < 26; hours++) await rig.clock.advance(HOUR_MS);
    assert.deepEqual(await keptOf(rig), []);
    await plane.stop();
    await plane.tenant("t").state.put("n", "k", { value: 2 });
    await rig.clock.advance(2 * KEEP_MS);
    assert.deepEqual(await keptOf(rig), [2]);
  });
}

for (const [driver, make] of PLANES) describe(`${driver}: retention`, () => retentionContract(make));
