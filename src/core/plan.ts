// The order of things before anything happens: effective priorities, and the phases they make. A pure function of the
// specs; the fleet walks the plan, and `haraka graph` draws it.
import type { Dependency } from "../config/config.ts";
import type { ServiceSpec } from "./spec.ts";

/** A dependency with those it is on: one service, or the replicas of one. */
export interface PlannedDependency extends Dependency {
  indexes: readonly number[];
}

/** A dependency by whose it is and where it stands in that one's list. */
export interface Naming {
  dependent: number;
  position: number;
}

/** One service with its place. Other services are referred to by their index in `Plan.services`. */
export interface PlannedService {
  spec: ServiceSpec;
  /** The highest priority among its own and those of all that depend on it, optional edges included. */
  effectivePriority: number;
  /** Phases count from 0. A phase begins when everything in the phases before it has settled. */
  phase: number;
  dependencies: readonly PlannedDependency[];
  /** Indexes of the services it depends on, each once. */
  needs: readonly number[];
  /** Indexes of the services that name this one as a dependency. */
  dependents: readonly number[];
  /** Every place where it, or all of its replicas, is named as a dependency. */
  namedBy: readonly Naming[];
  /** One of those restarts when it comes back. */
  isFollowed: boolean;
  /** Indexes of all replicas, its own among them. */
  replicas: readonly number[];
}

export interface Plan {
  /** In registration order. */
  services: readonly PlannedService[];
  /** Indexes by phase, each in registration order. */
  phases: readonly (readonly number[])[];
}

/** Expects specs that `graphProblems` has nothing to say about. */
export function createPlan(specs: readonly ServiceSpec[]): Plan {
  const called = indexesByName(specs);
  const dependencies = specs.map((spec) =>
    spec.dependencies.map((dependency) => ({ ...dependency, indexes: called.get(dependency.service) ?? [] })),
  );
  const needs = dependencies.map((list) => [...new Set(list.flatMap(({ indexes }) => indexes))]);
  const dependents: number[][] = specs.map(() => []);
  for (const [index, list] of needs.entries()) {
    for (const target of list) dependents[target]?.push(index);
  }
  const namings = namingsOf(dependencies);
  const priorities = inherit(specs, needs, dependents);
  const levels = [...new Set(priorities)].sort((a, b) => b - a);
  const phaseOf = new Map(levels.map((level, phase) => [level, phase]));
  const phases: number[][] = levels.map(() => []);
  const services = specs.map((spec, index) => {
    const effectivePriority = priorities[index] ?? 0;
    const phase = phaseOf.get(effectivePriority) ?? 0;
    phases[phase]?.push(index);
    return {
      spec,
      effectivePriority,
      phase,
      dependencies: dependencies[index] ?? [],
      needs: needs[index] ?? [],
      dependents: dependents[index] ?? [],
      namedBy: namings[index] ?? [],
      isFollowed: (namings[index] ?? []).some(
        ({ dependent, position }) => dependencies[dependent]?.[position]?.restart,
      ),
      replicas: called.get(spec.group) ?? [index],
    };
  });
  return { services, phases };
}

/** By index of the service that is named. */
function namingsOf(dependencies: readonly (readonly PlannedDependency[])[]): readonly Naming[][] {
  const namings: Naming[][] = dependencies.map(() => []);
  for (const [dependent, list] of dependencies.entries()) {
    for (const [position, { indexes }] of list.entries()) {
      for (const index of indexes) namings[index]?.push({ dependent, position });
    }
  }
  return namings;
}

/** Indexes by everything a dependency may say: a service's name, or the group of its replicas. */
function indexesByName(specs: readonly ServiceSpec[]): ReadonlyMap<string, readonly number[]> {
  const called = new Map<string, number[]>();
  for (const [index, { name, group }] of specs.entries()) {
    called.set(name, [index]);
    if (group === name) continue;
    const replicas = called.get(group);
    if (replicas) replicas.push(index);
    else called.set(group, [index]);
  }
  return called;
}

/** Walks from the services nobody needs towards those that need nobody, each handing its priority on. */
function inherit(
  specs: readonly ServiceSpec[],
  needs: readonly (readonly number[])[],
  dependents: readonly (readonly number[])[],
): number[] {
  const priorities = specs.map(({ priority }) => priority);
  const waitingFor = dependents.map((list) => list.length);
  const open = specs.flatMap((_, index) => (waitingFor[index] === 0 ? [index] : []));
  for (const index of open) {
    for (const target of needs[index] ?? []) {
      priorities[target] = Math.max(priorities[target] ?? 0, priorities[index] ?? 0);
      waitingFor[target] = (waitingFor[target] ?? 0) - 1;
      if (waitingFor[target] === 0) open.push(target);
    }
  }
  return priorities;
}
