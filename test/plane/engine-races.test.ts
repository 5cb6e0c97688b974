// What two that go at once may do to each other: the store answers late, and meanwhile something else happens. Nothing may be carried out
// twice, and nothing may sleep on for want of somebody who wakes it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { saga } from "../../src/plane/saga-builder.ts";
import type { IntentRegistry } from "../../src/plane/intents.ts";
import type { Commit, CommitResult, Ownerships, Store, WalType } from "../../src/ports/store.ts";
import { isProblem, Rig, traceOf } from "./engine-rig.ts";

const quick = (intents: IntentRegistry): void => intents.register("quick", {}, ({ input }) => input);

/** Commits go in at once; the answers to some are kept back until somebody lets them go. */
class Late {
  readonly #isLate: (commit: Commit) => boolean;
  #waiting: { written: Promise<CommitResult>; answer: () => void }[] = [];

  constructor(isLate: (commit: Commit) => boolean) {
    this.#isLate = isLate;
  }

  readonly wrap = (store: Store & Ownerships): Store & Ownerships => {
    const commit = (tenant: string, wanted: Commit): Promise<CommitResult> => {
      const written = store.commit(tenant, wanted);
      if (!this.#isLate(wanted)) return written;
      return new Promise((resolve, reject) => {
        this.#waiting.push({ written, answer: () => void written.then(resolve, reject) });
      });
    };
    return new Proxy(store, {
      get: (target, name) => {
        if (name === "commit") return commit;
        const member = Reflect.get(target, name) as unknown;
        return typeof member === "function" ? (member.bind(target) as unknown) : member;
      },
    });
  };

  /** Resolves once so many are written and not answered. */
  async written(count: number, rig: Rig): Promise<void> {
    while (this.#waiting.length < count) await rig.clock.advance(0);
    await Promise.all(this.#waiting.map(({ written }) => written));
  }

  letGo(): void {
    for (const { answer } of this.#waiting.splice(0)) answer();
  }
}

const appends =
  (type: WalType) =>
  ({ append = [] }: Commit): boolean =>
    append.some((record) => record.type === type);

test("nobody begins what is submitted before its submitter knows of it", async () => {
  let submitted = 0;
  const late = new Late((commit) => appends("intent_received")(commit) && ++submitted > 1);
  await using rig = await Rig.make("memory:", { register: quick, wrap: late.wrap });
  // The first makes the engine look for what is open; it must not find the second.
  const first = rig.submit("quick", 1);
  const second = rig.submit("quick", 2);
  await late.written(1, rig);
  assert.equal((await rig.settled((await first).id)).state, "completed");
  for (let turns = 0; turns < 10; turns++) await rig.clock.advance(0);
  late.letGo();
  const { id, state } = await second;
  assert.equal(state, "pending");
  const done = rig.executions.wait(id, { timeoutMs: 1e9 });
  await rig.until(id, "execution_completed");
  assert.equal((await done).result, 2);
  assert.deepEqual(traceOf(await rig.log(id)), [
    "intent_received",
    "execution_started",
    "execution_completed",
  ]);
  assert.equal(rig.current.engine.openCount, 0);
});

test("what is submitted while executions begin to move moves, too", async () => {
  const late = new Late(appends("intent_received"));
  await using rig = await Rig.make("memory:", { register: quick, run: false, wrap: late.wrap });
  const submitted = rig.submit("quick", 1);
  await late.written(1, rig);
  rig.current.engine.run();
  late.letGo();
  assert.equal((await rig.settled((await submitted).id)).state, "completed");
});

test("what is registered while an execution parks for want of it takes it up", async () => {
  await using rig = await Rig.make("sqlite:haraka.db", { register: quick, run: false });
  const { id } = await rig.submit("quick", 7);
  await rig.fall();
  const late = new Late(appends("saga_parked"));
  await rig.start({ wrap: late.wrap });
  await late.written(1, rig);
  quick(rig.intents);
  late.letGo();
  await rig.until(id, "execution_completed");
  assert.equal((await rig.executions.get(id)).result, 7);
});

test("what is written while executions begin to move has its turn after it", async () => {
  const late = new Late(appends("signal_received"));
  const register = (intents: IntentRegistry): void => intents.registerSaga(saga("w").signal("go"));
  await using rig = await Rig.make("sqlite:haraka.db", { register });
  const { id } = await rig.submit("w");
  await rig.until(id, "step_started");
  await rig.fall();
  await rig.start({ register, run: false, wrap: late.wrap });
  const told = rig.executions.signal(id, { name: "go" });
  await late.written(1, rig);
  rig.current.engine.run();
  late.letGo();
  await told;
  await rig.until(id, "saga_completed");
});

test("an order that comes while the end is written is answered by it", async () => {
  const late = new Late(appends("execution_completed"));
  await using rig = await Rig.make("memory:", { register: quick, wrap: late.wrap });
  const { id } = await rig.submit("quick", 1);
  await late.written(1, rig);
  const cancelled = assert.rejects(rig.executions.cancel(id), isProblem("conflict"));
  await rig.clock.advance(0);
  late.letGo();
  await cancelled;
});

test("an execution never ends before it was made, when the store's clock is ahead", async () => {
  const hourMs = 3_600_000;
  const ahead = (store: Store & Ownerships): Store & Ownerships =>
    new Proxy(store, {
      get(target, name) {
        const member = Reflect.get(target, name) as unknown;
        if (name !== "commit")
          return typeof member === "function" ? (member.bind(target) as unknown) : member;
        return async (tenant: string, commit: Commit): Promise<CommitResult> => {
          const result = await target.commit(tenant, commit);
          return result.ok ? { ...result, timeMs: result.timeMs + hourMs } : result;
        };
      },
    });
  await using rig = await Rig.make("memory:", { register: quick, wrap: ahead });
  const { id, createdAtMs } = await rig.submit("quick", 1);
  const { updatedAtMs } = await rig.settled(id);
  assert.ok(updatedAtMs >= createdAtMs, `${updatedAtMs} ${createdAtMs}`);
  assert.equal((await rig.executions.get(id)).updatedAtMs, updatedAtMs);
});
