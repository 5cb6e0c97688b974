// Random service graphs for property tests: acyclic by construction, with every kind of edge and priority.
import fc from "fast-check";
import type { Condition, Dependency } from "../../src/config/config.ts";
import { PLAIN_SPEC, type ServiceSpec } from "../../src/core/spec.ts";

export function spec(name: string, overrides: Partial<ServiceSpec> = {}): ServiceSpec {
  return { ...PLAIN_SPEC, name, group: name, ...overrides };
}

export function needs(service: string, condition: Condition = "ready", required = true): Dependency {
  return { service, condition, required, restart: false };
}

interface Draft {
  task: boolean;
  priority: number;
  critical: boolean;
  startupProbe: boolean;
  probed: boolean;
  edges: { to: number; started: boolean; required: boolean }[];
}

const draft: fc.Arbitrary<Draft> = fc.record({
  task: fc.boolean(),
  priority: fc.integer({ min: -3, max: 3 }),
  critical: fc.boolean(),
  startupProbe: fc.boolean(),
  probed: fc.boolean(),
  edges: fc.array(fc.record({ to: fc.nat(30), started: fc.boolean(), required: fc.boolean() }), {
    maxLength: 4,
  }),
});

/** Up to 24 services, in an order of registration that says nothing about their dependencies. */
export const graph: fc.Arbitrary<ServiceSpec[]> = fc
  .array(draft, { minLength: 1, maxLength: 24 })
  .chain((drafts) => fc.shuffledSubarray(drafts.map(toSpec), { minLength: drafts.length }));

function toSpec(draft: Draft, index: number, drafts: readonly Draft[]): ServiceSpec {
  const dependencies = new Map<string, Dependency>();
  for (const { to, started, required } of index === 0 ? [] : draft.edges) {
    const target = to % index;
    const met: Condition = drafts[target]?.task ? "completed" : "ready";
    dependencies.set(`s${target}`, needs(`s${target}`, started ? "started" : met, required));
  }
  return spec(`s${index}`, {
    task: draft.task,
    priority: draft.priority,
    critical: draft.critical,
    startupProbe: draft.startupProbe && !draft.task,
    readiness: draft.probed && !draft.task ? "probe" : "started",
    dependencies: [...dependencies.values()],
  });
}
