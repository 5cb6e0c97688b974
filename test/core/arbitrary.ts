// Random service graphs for property tests: acyclic by construction, with every kind of edge and priority; where asked for with
// replicas, restarts and schedules.
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

/** What a service may have besides, in a graph of its own kind. */
const habits = fc.record({
  replicas: fc.integer({ min: 1, max: 3 }),
  policy: fc.constantFrom("never", "on-failure", "always"),
  limit: fc.integer({ min: 1, max: 4 }),
  restartEdge: fc.boolean(),
  liveness: fc.boolean(),
  overlap: fc.option(fc.constantFrom("skip", "queue", "replace")),
});

/** As `graph`, with replicas, restarts, edges that restart, liveness probes and schedules. */
export const livelyGraph: fc.Arbitrary<ServiceSpec[]> = fc
  .array(fc.tuple(draft, habits), { minLength: 1, maxLength: 10 })
  .chain((drafts) => {
    const plain = drafts.map(([each], index) =>
      toSpec(
        each,
        index,
        drafts.map(([other]) => other),
      ),
    );
    const isScheduled = (index: number) =>
      drafts[index]?.[0].task === true && drafts[index][1].overlap !== null;
    const specs = drafts.flatMap(([, habit], index): ServiceSpec[] => {
      const base = plain[index] as ServiceSpec;
      const dependencies = base.dependencies
        // Nothing can wait for what is outside boot.
        .filter(({ service }) => !isScheduled(Number(service.slice(1))))
        .map((dependency) => ({ ...dependency, restart: habit.restartEdge }));
      const limit = { count: habit.limit, windowMs: 40 };
      const own = { ...base, dependencies, restart: { ...base.restart, policy: habit.policy, limit } };
      if (isScheduled(index) && habit.overlap !== null)
        return [{ ...own, critical: false, schedule: { overlap: habit.overlap } }];
      const names = Array.from({ length: habit.replicas }, (_, replica) => `${base.name}-${replica + 1}`);
      const isOne = names.length === 1;
      return names.map((name) => ({
        ...own,
        livenessProbe: habit.liveness && !base.task,
        name: isOne ? base.name : name,
      }));
    });
    return fc.shuffledSubarray(specs, { minLength: specs.length });
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
