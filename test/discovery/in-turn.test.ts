// Runs that never overlap, and are shared by those who wait for the same one.
import assert from "node:assert/strict";
import { test } from "node:test";
import { inTurn } from "../../src/discovery/in-turn.ts";

test("calls during a run are all answered by the next one, which begins after it", async () => {
  const runs: PromiseWithResolvers<void>[] = [];
  const ask = inTurn(() => {
    const run = Promise.withResolvers<void>();
    runs.push(run);
    return run.promise;
  });
  const settled: string[] = [];
  const note = (name: string, call: Promise<void>) =>
    call.then(
      () => settled.push(name),
      () => settled.push(`${name} failed`),
    );
  const first = note("first", ask());
  await Promise.resolve();
  const others = [note("second", ask()), note("third", ask())];
  await Promise.resolve();
  assert.equal(runs.length, 1);
  runs[0]?.reject(new Error("x"));
  await first;
  assert.deepEqual([runs.length, settled], [2, ["first failed"]]);
  runs[1]?.resolve();
  await Promise.all(others);
  assert.deepEqual([runs.length, settled], [2, ["first failed", "second", "third"]]);
});
