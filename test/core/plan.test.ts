import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createPlan } from "../../src/core/plan.ts";
import { graph, needs, spec } from "./arbitrary.ts";

test("createPlan orders phases by effective priority", () => {
  const plan = createPlan([spec("low", { priority: -1 }), spec("high", { priority: 5 }), spec("mid")]);
  assert.deepEqual(plan.phases, [[1], [2], [0]]);
});

test("createPlan hands a priority on to all that is needed for it, optional edges included", () => {
  const plan = createPlan([
    spec("base"),
    spec("cache"),
    spec("db", { dependencies: [needs("base")] }),
    spec("api", { priority: 7, dependencies: [needs("db"), needs("cache", "ready", false)] }),
    spec("other", { priority: 3 }),
  ]);
  assert.deepEqual(
    plan.services.map(({ effectivePriority }) => effectivePriority),
    [7, 7, 7, 7, 3],
  );
});

test("createPlan puts no service in a later phase than one that needs it (10,000 random graphs)", () => {
  const holds = fc.property(graph, (specs) => {
    const plan = createPlan(specs);
    for (const service of plan.services) {
      assert.ok(service.effectivePriority >= service.spec.priority);
      for (const index of service.needs) assert.ok((plan.services[index]?.phase ?? 0) <= service.phase);
    }
    assert.equal(plan.phases.flat().length, specs.length);
  });
  fc.assert(holds, { numRuns: 10_000 });
});

test("createPlan knows where each is named, replicas by their group, and who is followed", () => {
  const plan = createPlan([
    spec("db-1", { group: "db" }),
    spec("db-2", { group: "db" }),
    spec("cache"),
    spec("api", { dependencies: [needs("cache"), { ...needs("db"), restart: true }] }),
    spec("mail", { dependencies: [needs("db-2")] }),
  ]);
  const api = { dependent: 3, position: 1 };
  assert.deepEqual(
    plan.services.map(({ namedBy }) => namedBy),
    [[api], [api, { dependent: 4, position: 0 }], [{ dependent: 3, position: 0 }], [], []],
  );
  assert.deepEqual(
    plan.services.map(({ isFollowed }) => isFollowed),
    [true, true, false, false, false],
  );
});
