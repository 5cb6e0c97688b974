// Who needs whom: finds what makes a set of services impossible to order, and picks the services a selection needs.
// Knows nothing of priorities or states.
import type { ServiceSpec } from "./spec.ts";

/** Why the services cannot be ordered; `service` is the one to point at. */
export interface GraphProblem {
  service: string;
  message: string;
}

/** All problems: duplicate names, unknown dependencies, and every circle that a walk in registration order meets. */
export function graphProblems(specs: readonly ServiceSpec[]): GraphProblem[] {
  const byName = new Map<string, ServiceSpec>();
  const problems: GraphProblem[] = [];
  for (const spec of specs) {
    if (byName.has(spec.name)) {
      problems.push({ service: spec.name, message: `Duplicate service name '${spec.name}'` });
    }
    byName.set(spec.name, spec);
  }
  for (const spec of specs) {
    for (const { service } of spec.dependencies) {
      if (!byName.has(service)) {
        const message = `Unknown dependency '${service}' for service '${spec.name}'`;
        problems.push({ service: spec.name, message });
      }
    }
  }
  return problems.concat(cycles(byName));
}

/** Depth first without recursion: a chain of 100,000 services must not overflow the stack. */
function cycles(byName: ReadonlyMap<string, ServiceSpec>): GraphProblem[] {
  const problems: GraphProblem[] = [];
  const done = new Set<string>();
  const path: { name: string; next: number }[] = [];
  const onPath = new Set<string>();
  const enter = (name: string) => {
    path.push({ name, next: 0 });
    onPath.add(name);
  };
  for (const root of byName.keys()) {
    if (!done.has(root)) enter(root);
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const dependency = byName.get(top.name)?.dependencies[top.next++]?.service;
      if (dependency === undefined) {
        path.pop();
        onPath.delete(top.name);
        done.add(top.name);
      } else if (onPath.has(dependency)) {
        const names = path.map(({ name }) => name);
        const circle = [...names.slice(names.indexOf(dependency)), dependency].join(" → ");
        problems.push({
          service: dependency,
          message: `Circular dependency detected at ${dependency}: ${circle}`,
        });
      } else if (!done.has(dependency) && byName.has(dependency)) {
        enter(dependency);
      }
    }
  }
  return problems;
}

/**
 * The named services and everything they need, in registration order. Optional dependencies on services outside the
 * selection are dropped. Names are expected to exist.
 */
export function select(specs: readonly ServiceSpec[], names: readonly string[]): ServiceSpec[] {
  const byName = new Map(specs.map((spec) => [spec.name, spec]));
  const chosen = new Set(names);
  for (const name of chosen) {
    for (const { service, required } of byName.get(name)?.dependencies ?? [])
      if (required) chosen.add(service);
  }
  return specs
    .filter(({ name }) => chosen.has(name))
    .map((spec) => ({
      ...spec,
      dependencies: spec.dependencies.filter(({ service, required }) => required || chosen.has(service)),
    }));
}
