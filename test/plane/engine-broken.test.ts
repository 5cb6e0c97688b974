// What goes wrong with one execution in itself, by a bug of ours or by what somebody has put into an error: it stands, where everybody can
// see it, and says why. No other one stands still for it, and nobody who asks about it is left waiting.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { AnyMachine } from "../../src/plane/machine.ts";
import { saga } from "../../src/plane/saga-builder.ts";
import type { IntentRegistry } from "../../src/plane/intents.ts";
import type { Commit, Ownerships, Store, WalType } from "../../src/ports/store.ts";
import { LIMITS, Rig, traceOf } from "./engine-rig.ts";

const pair = saga("pair")
  .step("one", { execute: () => 1, compensate() {} })
  .step("two", { execute: () => 2 });

const register = (intents: IntentRegistry): void => {
  intents.register("quick", {}, ({ input }) => input);
  intents.registerSaga(pair);
};

/** A store that cannot take a record of this type, so many times: what it throws is no failure of its own. */
const refusing =
  (type: WalType, times = 1) =>
  (store: Store & Ownerships): Store & Ownerships =>
    new Proxy(store, {
      get(target, name) {
        const member = Reflect.get(target, name) as unknown;
        if (typeof member !== "function") return member;
        if (name !== "commit") return member.bind(target) as unknown;
        return async (tenant: string, commit: Commit) => {
          const isRefused = commit.append?.some((record) => record.type === type) && times-- > 0;
          if (isRefused) throw new TypeError("it is no JSON");
          return store.commit(tenant, commit);
        };
      },
    });

/** It throws the next time it is asked what follows. */
function breakOnce(machine: AnyMachine): void {
  const decide = machine.decide.bind(machine);
  machine.decide = () => {
    machine.decide = decide;
    throw new Error("internal: it cannot be");
  };
}

const STRANGE: readonly (readonly [what: string, make: () => unknown])[] = [
  ["an error with a number that JSON has not", () => Object.assign(new Error(), { message: 10n })],
  ["an error with a function", () => Object.assign(new Error(), { message: () => 1 })],
  ["a symbol", () => Symbol("s")],
  ["a map without any methods", () => Object.create(null) as unknown],
  ["nothing", () => undefined],
];

for (const [what, make] of STRANGE) {
  test(`a function that throws ${what} has failed, and nothing else has`, async () => {
    await using rig = await Rig.make("sqlite:haraka.db", { register });
    rig.intents.register("strange", {}, () => {
      throw make();
    });
    rig.intents.registerSaga(
      saga("strange.saga").step("one", {
        execute() {
          throw make();
        },
      }),
    );
    const { state, error } = await rig.run("strange");
    assert.deepEqual([state, error?.reason, typeof error?.message], ["failed", "thrown", "string"]);
    assert.equal((await rig.run("strange.saga")).state, "compensated");
    assert.equal((await rig.run("quick", 1)).state, "completed");
    assert.deepEqual(rig.current.errors, []);
  });
}

test("what a function gives and says has its limits, as the answer to a call by HTTP has", async () => {
  await using rig = await Rig.make("memory:", { register });
  const bytesMax = LIMITS.bodyBytesMax;
  rig.intents.register("large", {}, ({ input }) => "é".repeat(Number(input)));
  assert.equal((await rig.run("large", bytesMax / 2)).state, "completed");
  const { state, error } = await rig.run("large", bytesMax / 2 + 1);
  const message = `what it gave cannot be kept: it has more than ${bytesMax} bytes`;
  assert.deepEqual([state, error], ["failed", { message, reason: "output" }]);
  rig.intents.registerSaga(
    saga("large.saga").step("one", { execute: () => ({ a: "x".repeat(bytesMax) }), inDoubt: "manual" }),
  );
  const parked = await rig.run("large.saga");
  assert.deepEqual([parked.state, parked.saga?.steps[0]?.error?.message], ["parked", message]);
  rig.intents.register("talks", {}, () => {
    throw new Error("😀".repeat(1 << 20));
  });
  const said = (await rig.run("talks")).error?.message ?? "";
  assert.equal(said, `${"😀".repeat(2048)}…`);
});

for (const url of ["memory:", "sqlite:haraka.db"]) {
  describe(url, () => {
    test("a saga that cannot be written parks with the reason, and goes on by retry", async () => {
      await using rig = await Rig.make(url, { register, wrap: refusing("step_completed") });
      const { id } = await rig.submit("pair");
      const { state, error } = await rig.settled(id);
      assert.deepEqual(
        [state, error],
        ["parked", { message: "to go on with it has failed: it is no JSON", reason: "parked" }],
      );
      assert.deepEqual(rig.current.errors, [`cannot go on with "${id}": it is no JSON`]);
      assert.equal((await rig.run("pair")).state, "completed");
      await rig.executions.retry(id);
      assert.equal((await rig.settled(id)).state, "completed");
      const trace = ["step_started one", "saga_parked", "saga_resolved", "step_in_doubt one"];
      assert.deepEqual(traceOf(await rig.log(id)).slice(2, 6), trace);
    });

    test("a function whose end cannot be written has failed", async () => {
      await using rig = await Rig.make(url, { register, wrap: refusing("execution_completed") });
      const { state, error } = await rig.run("quick", 1);
      assert.deepEqual([state, error?.reason], ["failed", "internal"]);
    });

    test("a saga whose turn throws parks, and who asked for something hears of it", async () => {
      await using rig = await Rig.make(url, { register });
      const waits = saga("waits").signal("approved");
      rig.intents.registerSaga(waits);
      const { id } = await rig.submit("waits");
      await rig.until(id, "step_started");
      breakOnce(rig.intents.ofType("waits")?.machine ?? assert.fail());
      await assert.rejects(rig.executions.signal(id, { name: "approved" }), /it cannot be/);
      assert.equal((await rig.settled(id)).state, "parked");
      await rig.executions.retry(id);
      await rig.executions.signal(id, { name: "approved" });
      assert.equal((await rig.settled(id)).state, "completed");
    });

    test("one that cannot be parked either takes nothing with it", async () => {
      await using rig = await Rig.make(url, { register });
      const { machine } = rig.intents.ofType("pair") ?? assert.fail();
      machine.broken = () => {
        throw new Error("internal: nor that");
      };
      breakOnce(machine);
      const { id } = await rig.submit("pair");
      for (let turns = 0; turns < 20; turns++) await rig.clock.advance(0);
      assert.equal((await rig.run("quick", 1)).state, "completed");
      assert.deepEqual(rig.current.errors, [
        `cannot go on with "${id}": internal: it cannot be`,
        `cannot go on with "${id}": internal: nor that`,
        `cannot park "${id}": internal: nor that`,
      ]);
    });
  });
}
