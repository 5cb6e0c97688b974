import assert from "node:assert/strict";
import { test } from "node:test";
import { simulateAll } from "./replay.ts";
import { simulate } from "./simulation.ts";

test("the whole lifecycle keeps its invariants under faults (500 seeds)", async () => {
  await simulateAll(0, 500);
});

test("a seed tells the same story every time", async () => {
  for (const seed of [3, 77, 262, 4834]) {
    const [first, second] = [await simulate(seed), await simulate(seed)];
    assert.deepEqual(first, second);
  }
});
