// What is claimed and not yet in memory is this process's already: nothing of it may be lost because there is much of it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Leases } from "../../src/plane/leases.ts";
import type { Claim } from "../../src/ports/store.ts";
import { testClock } from "../../src/testing.ts";

const LEASE_MS = 3_000;

function rig(claims: Claim[], take: (claim: Claim) => Promise<void>) {
  const clock = testClock();
  const renewed: (readonly Claim[])[] = [];
  const errors: string[] = [];
  const leases = new Leases({
    store: {
      leaseMs: LEASE_MS,
      claim: () => Promise.resolve(claims.splice(0)),
      renew: (some) => {
        renewed.push(some);
        return Promise.resolve([]);
      },
      release: () => Promise.resolve(),
    },
    clock,
    known: () => ["d"],
    owned: () => [],
    mayTake: () => true,
    took: () => {},
    take,
    lost: () => {},
    onError: (message) => errors.push(message),
  });
  return { leases, clock, renewed, errors };
}

const claimOf = (execution: string): Claim => ({ tenant: "t", execution, token: execution });

test("what is claimed is taken all at once, and prolonged until it is", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const claims = ["a", "b", "c"].map(claimOf);
  const taken: Claim[] = [];
  const { leases, clock, renewed } = rig([...claims], (claim) => {
    taken.push(claim);
    return promise;
  });
  const started = leases.start();
  await clock.advance(LEASE_MS / 3);
  assert.deepEqual(taken, claims);
  assert.deepEqual(renewed, [claims]);
  resolve();
  await started;
  await clock.advance(LEASE_MS / 3);
  assert.equal(renewed.length, 1, "it prolongs what nobody holds");
  leases.stop();
});

test("one that cannot be taken keeps none of the others back", async () => {
  const taken: string[] = [];
  const { leases } = rig(["a", "b"].map(claimOf), async ({ execution }) => {
    if (execution === "a") throw new Error("no log");
    await Promise.resolve();
    taken.push(execution);
  });
  await assert.rejects(leases.start(), /no log/);
  assert.deepEqual(taken, ["b"]);
  leases.stop();
});
