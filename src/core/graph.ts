// Who needs whom: finds what makes a set of services impossible to order, and picks the services a selection needs.
// Knows nothing of priorities or states.
import type { Dependency } from "../config/config.ts";
import type { ServiceSpec } from "./spec.ts";

/** Why the services cannot be ordered; `service` is the one to point at. */
export interface GraphProblem {
  service: string;
  message: string;
}

/** All problems: duplicate names, unknown dependencies, and every circle that a walk in registration order meets. */
export function graphProblems(specs: readonly ServiceSpec[]): GraphProblem[] {
  const called = namesByCall(specs);
  const problems: GraphProblem[] = [];
  const seen = new Set<string>();
  for (const { name } of specs) {
    if (seen.has(name)) problems.push({ service: name, message: `Duplicate service name '${name}'` });
    seen.add(name);
  }
  for (const spec of specs) {
    for (const { service } of spec.dependencies) {
      if (called.has(service)) continue;
      const message = `Unknown dependency '${service}' for service '${spec.name}'`;
      problems.push({ service: spec.name, message });
    }
  }
  const needed = new Map(specs.map(({ name, dependencies }) => [name, namesOf(dependencies, called)]));
  return problems.concat(cycles(needed));
}

/** All that require one of these, whatever stands between, in registration order; these themselves left out. */
export function dependentsOn(specs: readonly ServiceSpec[], names: Iterable<string>): string[] {
  const called = namesByCall(specs);
  const given = new Set(names);
  const reached = new Set(given);
  for (let size = -1; size !== reached.size;) {
    size = reached.size;
    for (const { name, dependencies } of specs) {
      const required = dependencies.filter((dependency) => dependency.required);
      if (namesOf(required, called).some((each) => reached.has(each))) reached.add(name);
    }
  }
  return specs.map(({ name }) => name).filter((name) => reached.has(name) && !given.has(name));
}

/** Names by everything a dependency may say: a service's name, or the group of its replicas. */
function namesByCall(specs: readonly ServiceSpec[]): ReadonlyMap<string, readonly string[]> {
  const called = new Map<string, string[]>();
  for (const { name } of specs) called.set(name, [name]);
  for (const { name, group } of specs) {
    if (group === name) continue;
    const replicas = called.get(group);
    if (replicas) replicas.push(name);
    else called.set(group, [name]);
  }
  return called;
}

function namesOf(
  dependencies: readonly Dependency[],
  called: ReadonlyMap<string, readonly string[]>,
): readonly string[] {
  return dependencies.flatMap(({ service }) => called.get(service) ?? []);
}

/** Depth first without recursion: a chain of 100,000 services must not overflow the stack. */
function cycles(needed: ReadonlyMap<string, readonly string[]>): GraphProblem[] {
  const problems: GraphProblem[] = [];
  const done = new Set<string>();
  const path: { name: string; next: number }[] = [];
  const onPath = new Set<string>();
  const enter = (name: string) => {
    path.push({ name, next: 0 });
    onPath.add(name);
  };
  for (const root of needed.keys()) {
    if (!done.has(root)) enter(root);
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const dependency = needed.get(top.name)?.[top.next++];
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
      } else if (!done.has(dependency)) {
        enter(dependency);
      }
    }
  }
  return problems;
}

/**
 * The named services, all replicas where the name is a group's, and everything they need, in registration order. Optional
 * dependencies on services outside the selection are dropped. Names are expected to exist.
 */
export function select(specs: readonly ServiceSpec[], names: readonly string[]): ServiceSpec[] {
  const byName = new Map(specs.map((spec) => [spec.name, spec]));
  const called = namesByCall(specs);
  const chosen = new Set(names.flatMap((name) => called.get(name) ?? []));
  const isChosen = (call: string) => called.get(call)?.some((name) => chosen.has(name)) ?? false;
  for (const name of chosen) {
    const required = byName.get(name)?.dependencies.filter((dependency) => dependency.required) ?? [];
    for (const each of namesOf(required, called)) chosen.add(each);
  }
  return specs
    .filter(({ name }) => chosen.has(name))
    .map((spec) => ({
      ...spec,
      dependencies: spec.dependencies.filter(({ service, required }) => required || isChosen(service)),
    }));
}
