// The word of HARAKA_FAILPOINT: which point it arms, at which time of reaching it, and what it refuses.
import assert from "node:assert/strict";
import { test } from "node:test";
import { failpointOf } from "../../src/drivers/failpoint.ts";

test("it strikes the N-th time its own label is reached, and no other time", () => {
  for (const [word, expected] of [
    ["store-write", [1]],
    ["store-write:1", [1]],
    ["store-write:3", [3]],
  ] as const) {
    const struck: number[] = [];
    let reached = 0;
    const failpoint = failpointOf(word, { pid: 2, kill: () => struck.push(reached) });
    for (reached = 1; reached <= 5; reached++) {
      failpoint("store-begin");
      failpoint("store-write");
      failpoint("store-commit");
    }
    assert.deepEqual(struck, expected);
  }
});

test("unset or empty, it is nothing", () => {
  failpointOf(undefined)("store-begin");
  assert.equal(failpointOf(""), failpointOf(undefined));
});

test("a label that there is not, a time that is none and PID 1 are refused", () => {
  for (const word of ["store", "store-write:0", "store-write:", "store-write:x", ":1", "toString"])
    assert.throws(() => failpointOf(word), {
      name: "UsageError",
      message: new RegExp(`^cannot use HARAKA_FAILPOINT=${word}: it is LABEL or LABEL:N, .*store-write`),
    });
  assert.throws(() => failpointOf("store-write", { pid: 1 }), /PID 1 survives its own SIGKILL/);
});
