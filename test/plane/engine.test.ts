// Executions over a real store, in memory and in SQLite: what runs, in which order it stands in the log, and what a caller gets.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { z } from "zod";
import { Retry, saga } from "../../src/plane/saga-builder.ts";
import { Rig } from "./engine-rig.ts";

for (const url of ["memory:", "sqlite:haraka.db"]) describe(url, () => suite(url));

function suite(url: string): void {
  test("a saga runs to its end, each step durable before its call", async () => {
    const seen: string[] = [];
    await using rig = await Rig.make(url);
    const place = saga("order.place", { input: z.object({ sku: z.string() }) })
      .step("reserve", {
        async execute({ input, key, execution }) {
          seen.push(...(await rig.trace(execution)).slice(-1), input.sku, key);
          return { reservation: 7 };
        },
        compensate() {},
      })
      .step("charge", { execute: ({ outputs }) => ({ of: outputs.reserve.reservation }), pivot: true });
    rig.intents.registerSaga(place);
    const { id, state } = await rig.submit("order.place", { sku: "a" });
    assert.equal(state, "pending");
    const done = await rig.settled(id);
    assert.equal(done.state, "completed");
    assert.deepEqual(done.result, { reserve: { reservation: 7 }, charge: { of: 7 } });
    assert.deepEqual(seen, ["step_started reserve", "a", `${id}/reserve/execute`]);
    assert.deepEqual(await rig.trace(id), [
      "intent_received",
      "saga_started",
      "step_started reserve",
      "step_completed reserve",
      "step_started charge",
      "step_completed charge",
      "saga_completed",
    ]);
  });

  test("a function runs to its end", async () => {
    await using rig = await Rig.make(url);
    rig.intents.register(
      "report.build",
      { input: z.object({ n: z.number() }) },
      async ({ input, session }) => ({
        twice: input.n * 2,
        session,
      }),
    );
    const done = await rig.run("report.build", { n: 4 });
    assert.equal(done.state, "completed");
    assert.deepEqual(done.result, { twice: 8, session: "session_1" });
    assert.deepEqual(await rig.trace(done.id), [
      "intent_received",
      "execution_started",
      "execution_completed",
    ]);
  });

  test("a failed step undoes what was done", async () => {
    await using rig = await Rig.make(url);
    const undone: unknown[] = [];
    let tries = 0;
    rig.intents.registerSaga(
      saga("s")
        .step("one", { execute: () => 1, compensate: ({ output }) => void undone.push(output) })
        .step("two", {
          execute() {
            if (++tries < 3) throw new Retry("not yet");
            throw new Error("no");
          },
        }),
    );
    const done = await rig.run("s");
    assert.equal(done.state, "compensated");
    assert.deepEqual(undone, [1]);
    assert.equal(tries, 3);
    assert.equal(done.error?.message, '"two": no');
  });
}
