// The long suite, by `bun run test:long`: many seeds, and every planted bug. Too long for every push; run it before a release and
// after a change of src/core or src/runtime.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { hunt, mutants } from "../simulation/mutants.ts";
import { simulateAll } from "../simulation/replay.ts";

/** Other seeds than those of the ordinary suite: `SEEDS=10000..20000`. */
const [from = 0, to = 10_000] = (process.env["SEEDS"] ?? "").split("..").filter(Boolean).map(Number);

test(`the whole lifecycle keeps its invariants under faults (seeds ${from} to ${to})`, async () => {
  await simulateAll(from, to);
});

describe("the simulation finds it when", () => {
  for (const mutant of mutants) {
    test(mutant.bug, () => {
      const found = hunt(mutant, 2_000);
      assert.ok(
        mutant.breaks.some((invariant) => found.includes(`: ${invariant}: `)),
        found || "nothing was found",
      );
    });
  }
});
