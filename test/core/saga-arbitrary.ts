// Random definitions of sagas: every kind of node and policy, a pivot or none, valid by construction.
import fc from "fast-check";
import type { SagaDefinition, SagaNode, StepNode } from "../../src/config/saga-definition.ts";

export function step(name: string, overrides: Partial<StepNode> = {}): StepNode {
  return {
    type: "step",
    name,
    compensable: true,
    verifiable: false,
    pivot: false,
    timeoutMs: 1000,
    retry: { attempts: 3, minMs: 100, maxMs: 1000 },
    inDoubt: "idempotent",
    ...overrides,
  };
}

export function saga(nodes: readonly SagaNode[], overrides: Partial<SagaDefinition> = {}): SagaDefinition {
  return { name: "order.place", version: "1", nodes, ...overrides };
}

const draft = fc.record({
  compensable: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, fc.boolean()),
  attempts: fc.integer({ min: 1, max: 3 }),
  inDoubt: fc.constantFrom("idempotent", "idempotent", "verify", "manual"),
});

type Draft = typeof draft extends fc.Arbitrary<infer T> ? T : never;

const kind = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant("step"), draft }) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant("parallel"),
      drafts: fc.array(draft, { minLength: 1, maxLength: 3 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant("signal"),
      signal: fc.constantFrom("approved", "paid"),
      timeoutMs: fc.option(fc.integer({ min: 0, max: 2000 }), { nil: undefined }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant("sleep"), delayMs: fc.integer({ min: 0, max: 5000 }) }),
  },
);

function stepFrom(name: string, { compensable, attempts, inDoubt }: Draft, pivot = false): StepNode {
  const policy = inDoubt as StepNode["inDoubt"];
  return step(name, {
    compensable,
    verifiable: policy === "verify",
    pivot,
    retry: { attempts, minMs: 100, maxMs: 1000 },
    inDoubt: policy,
  });
}

/** Up to six nodes with up to three branches each. */
export const definition: fc.Arbitrary<SagaDefinition> = fc
  .record({
    kinds: fc.array(kind, { minLength: 1, maxLength: 6 }),
    /** Which of the plain steps is the pivot; past the last one: none. */
    pivotAt: fc.oneof(fc.constant(0), fc.nat(9)),
    timeoutMs: fc.option(fc.integer({ min: 500, max: 20_000 }), { nil: undefined }),
  })
  .map(({ kinds, pivotAt, timeoutMs }) => {
    const nodes = kinds.map((one, index): SagaNode => {
      const name = `s${index}`;
      if ("draft" in one) return stepFrom(name, one.draft, index === pivotAt);
      if ("drafts" in one) {
        const branches = one.drafts.map((each, branch) => stepFrom(`${name}.${branch}`, each));
        return { type: "parallel", branches };
      }
      if ("delayMs" in one) return { type: "sleep", name, delayMs: one.delayMs };
      const { signal, timeoutMs: limitMs } = one;
      return { type: "signal", name, signal, ...(limitMs !== undefined && { timeoutMs: limitMs }) };
    });
    return saga(nodes, timeoutMs === undefined ? {} : { timeoutMs });
  });
