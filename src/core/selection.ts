// Which services an operator's order is about: a name stands for a service or all its replicas, starting takes along what is
// needed and down, stopping what would lose what it needs. Looks at the fleet, and changes nothing.
import { fateOf, judgeGroup } from "./condition.ts";
import type { Fleet } from "./fleet.ts";
import { type FleetMember, isHeld } from "./member.ts";
import { isAlive } from "./service-state.ts";

/** The services that go by this name: itself, or its replicas; none if nobody does. */
export function called(fleet: Fleet, name: string): FleetMember[] {
  const member = fleet.member(name);
  return member ? [member] : fleet.members.filter(({ planned }) => planned.spec.group === name);
}

/** Those given and everything they require that is down or goes down, what is needed first. */
export function withNeeds(fleet: Fleet, services: readonly FleetMember[]): string[] {
  const seen = new Set<FleetMember>();
  const chosen: FleetMember[] = [];
  const visit = (member: FleetMember) => {
    if (seen.has(member)) return;
    seen.add(member);
    for (const { indexes, required } of member.planned.dependencies) {
      for (const index of required ? indexes : []) {
        const needed = fleet.members[index];
        // One that waits itself may wait for one that is down.
        if (needed && (isDown(needed) || needed.state.name === "pending")) visit(needed);
      }
    }
    if (services.includes(member) || isDown(member)) chosen.push(member);
  };
  for (const member of services) visit(member);
  return chosen.map(nameOf);
}

/** Those that run, or are about to, and need one of these, whatever stands between; themselves left out, dependents first. */
export function dependentsOf(fleet: Fleet, services: readonly FleetMember[]): string[] {
  const found = new Set<FleetMember>();
  const stays = (member: FleetMember | undefined) =>
    member?.state.name === "ready" && !isHeld(member) && !services.includes(member) && !found.has(member);
  const visit = (member: FleetMember) => {
    for (const index of member.planned.dependents) {
      const dependent = fleet.members[index];
      if (!dependent || found.has(dependent) || services.includes(dependent)) continue;
      if (!isAlive(dependent.state) && dependent.state.name !== "backoff") continue;
      const losesNothing = dependent.planned.dependencies.every(
        ({ indexes, required, condition }) =>
          !required ||
          !indexes.includes(member.index) ||
          // One replica is enough for that.
          (condition === "ready" &&
            indexes.some((each) => each !== member.index && stays(fleet.members[each]))),
      );
      if (losesNothing) continue;
      visit(dependent);
      found.add(dependent);
    }
  };
  for (const member of services) visit(member);
  return [...found].map(nameOf);
}

/** Those given and all that restart by themselves when what they need has come back. */
export function withFollowers(fleet: Fleet, services: readonly FleetMember[]): FleetMember[] {
  const found = new Set(services);
  for (const { index, planned } of found) {
    for (const each of planned.dependents) {
      const dependent = fleet.members[each];
      const follows = dependent?.planned.dependencies.some(
        ({ restart, indexes }) => restart && indexes.includes(index),
      );
      if (dependent && follows && isAlive(dependent.state) && !isHeld(dependent)) found.add(dependent);
    }
  }
  return [...found];
}

/** What keeps one of these from coming up again once it is down: a requirement that is not there, will not come, and is none of them. */
export function missingNeed(
  fleet: Fleet,
  services: readonly FleetMember[],
): { service: string; needs: string; fate: string } | undefined {
  for (const { planned } of services) {
    for (const { required, condition, indexes, service } of planned.dependencies) {
      const needed = indexes.flatMap((index) => fleet.members[index] ?? []);
      if (!required || needed.some((each) => services.includes(each))) continue;
      const stateOf = (index: number) => (fleet.members[index] as FleetMember).state;
      if (judgeGroup(condition, indexes, stateOf) === "lost")
        return { service: planned.spec.name, needs: service, fate: fateOf(needed.map(({ state }) => state)) };
    }
  }
  return undefined;
}

function isDown(member: FleetMember): boolean {
  const { name } = member.state;
  return name === "stopped" || name === "failed" || name === "skipped" || isHeld(member);
}

function nameOf({ planned }: FleetMember): string {
  return planned.spec.name;
}
