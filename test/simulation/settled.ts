// What must be true of a world that has come to rest: everything that should be up is up, nothing moves, and what waits says for
// what. Gives the reasons why it is not so, as long as there are any.
import type { Fleet } from "../../src/core/fleet.ts";
import type { FleetMember } from "../../src/core/member.ts";
import { blockersOf } from "../../src/core/blockers.ts";
import type { Auditor } from "./auditor.ts";
import type { Scenario } from "./scenario.ts";

export interface Restlessness {
  invariant: "settles" | "pending-for-a-reason";
  message: string;
}

export function restlessness(fleet: Fleet, audit: Auditor, { onFailure, endures }: Scenario): Restlessness[] {
  const found: Restlessness[] = [];
  for (const member of fleet.members) {
    const { planned, state } = member;
    const { name, critical, schedule } = planned.spec;
    if (schedule) continue;
    // Where somebody has stopped the last replica, it is his.
    const held = planned.replicas.some(
      (index) => audit.account(fleet.members[index]?.planned.spec.name ?? "").held,
    );
    switch (state.name) {
      case "ready":
      case "completed":
        break;
      case "pending":
        found.push(...pendingProblems(member, fleet, audit));
        break;
      case "stopped":
      case "failed":
      case "skipped": {
        const isTolerated = state.name !== "stopped" && onFailure === "continue" && !audit.wasEverUp(planned);
        const isSpared = isTolerated || (state.name !== "stopped" && audit.isNoLoss(planned));
        if (critical && !endures && !held && !isSpared && !audit.isReplaced(planned))
          found.push({ invariant: "settles", message: `'${name}' is critical and ${state.name}` });
        break;
      }
      default:
        found.push({ invariant: "settles", message: `'${name}' is still ${state.name}` });
    }
  }
  return found;
}

/** It waits for a dependency that does not hold, at the end of the chain for one that somebody has stopped. */
function pendingProblems(member: FleetMember, fleet: Fleet, audit: Auditor): Restlessness[] {
  const { name } = member.planned.spec;
  const problem = (message: string) => [
    { invariant: "pending-for-a-reason" as const, message: `'${name}' ${message}` },
  ];
  const { dependency, barrier, reason } = fleet.waitsFor(member);
  if (!dependency && barrier === undefined) return problem(`is pending and ${reason}`);
  if (dependency && audit.holds(dependency)) return problem(`${reason}, which it is`);
  const needed = dependency?.service ?? fleet.members[barrier ?? -1]?.planned.spec.name;
  if (!reason.includes(`'${needed}'`)) return problem(`does not name what it waits for: ${reason}`);
  const chain = blockersOf(member, { fleet, wallOffsetMs: 0 }).map(({ service }) => service);
  const isHeld = chain.some((service) => audit.account(service).held || isSpent(service, fleet));
  return isHeld ? [] : problem(`${reason}, and nobody has stopped anything: ${chain.join(" → ")}`);
}

/** One of several replicas that will not come back, while another is there: "started" takes all. */
function isSpent(service: string, fleet: Fleet): boolean {
  const state = fleet.member(service)?.state.name;
  return state === "failed" || state === "skipped" || state === "stopped";
}
