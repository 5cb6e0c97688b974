// A world for the fleet: performs its effects by the flips of a scripted coin, and checks at every step what must always
// hold. Used by property tests; a failing run is replayed by fast-check from its seed.
import assert from "node:assert/strict";
import type { Effect, FleetEvent } from "../../src/core/event.ts";
import { Fleet, type FleetOptions } from "../../src/core/fleet.ts";
import { createPlan, type Plan } from "../../src/core/plan.ts";
import { isAlive, isSettled } from "../../src/core/service-state.ts";
import type { ServiceSpec } from "../../src/core/spec.ts";

export class Simulation {
  readonly plan: Plan;
  readonly fleet: Fleet;
  /** Names in the order of their launch, and of their request to stop. */
  readonly launched: string[] = [];
  readonly stopped: string[] = [];
  readonly gaveUp: Extract<Effect, { type: "give-up" }>[] = [];
  /** What can happen next in the world. */
  #possible: FleetEvent[] = [];
  readonly #everMet = new Set<string>();
  #now = 0;

  constructor(specs: readonly ServiceSpec[], options: FleetOptions = {}) {
    this.plan = createPlan(specs);
    this.fleet = new Fleet(this.plan, options);
  }

  tell(event: FleetEvent): void {
    if (event.type === "service-launched") this.#remember(event.service, "started");
    for (const effect of this.fleet.fold(event, this.#now++)) this.#perform(effect);
  }

  /** Lets one of the possible things happen; false when nothing can. `coin` is a number below 2^32. */
  step(coin: number): boolean {
    const index = coin % this.#possible.length;
    const event = this.#possible[index];
    if (!event) return false;
    this.#possible = this.#possible.filter((other) => other !== event);
    this.tell(event);
    return true;
  }

  #perform(effect: Effect): void {
    switch (effect.type) {
      case "launch":
        this.#checkLaunch(effect.service);
        this.launched.push(effect.service);
        return this.#offerOutcomes(effect.service);
      case "watch": {
        const { service, incarnation, probe } = effect;
        const times = { service, incarnation, probe };
        this.#possible.push({ type: "probe-passed", ...times });
        if (probe === "readiness") this.#possible.push({ type: "probe-failed", reason: "no", ...times });
        return;
      }
      case "stop":
        this.#checkStop(effect.service);
        this.stopped.push(effect.service);
        this.#possible = this.#possible.filter(
          (event) => !("service" in event && event.service === effect.service),
        );
        this.#possible.push({
          type: "service-exited",
          service: effect.service,
          incarnation: effect.incarnation,
          code: 0,
          signal: null,
        });
        return;
      case "announce":
        return this.#remember(effect.service, effect.to);
      case "give-up":
        this.gaveUp.push(effect);
        return;
      default:
        return;
    }
  }

  #offerOutcomes(service: string): void {
    const target = { service, incarnation: 1 };
    const { task } = this.fleet.member(service)?.planned.spec ?? {};
    this.#possible.push({ type: "service-launched", ...target });
    this.#possible.push({ type: "service-launch-failed", reason: "not found", ...target });
    const end = { type: "service-exited" as const, signal: null, ...target };
    this.#possible.push({ ...end, code: 3 });
    if (task) this.#possible.push({ ...end, code: 0 });
  }

  #remember(service: string, to: string): void {
    const holds = {
      started: ["started"],
      ready: ["started", "ready"],
      completed: ["started", "ready", "completed"],
    };
    for (const condition of holds[to as keyof typeof holds] ?? [])
      this.#everMet.add(`${service} ${condition}`);
    if (["failed", "skipped", "stopped"].includes(to)) this.#everMet.add(`${service} lost`);
  }

  #checkLaunch(service: string): void {
    assert.ok(!this.launched.includes(service), `${service} started twice`);
    const planned = this.fleet.member(service)?.planned;
    assert.ok(planned);
    for (const dependency of planned.dependencies) {
      const met = this.#everMet.has(`${dependency.service} ${dependency.condition}`);
      const given = !dependency.required && this.#everMet.has(`${dependency.service} lost`);
      assert.ok(met || given, `${service} started before ${dependency.service} was ${dependency.condition}`);
    }
    for (const other of this.fleet.members) {
      if (other.planned.effectivePriority <= planned.effectivePriority) continue;
      assert.ok(isSettled(other.state), `${service} started before ${other.planned.spec.name} had settled`);
    }
  }

  #checkStop(service: string): void {
    const planned = this.fleet.member(service)?.planned;
    assert.ok(planned);
    assert.ok(!this.stopped.includes(service), `${service} stopped twice`);
    for (const other of this.fleet.members) {
      const dependsOnIt = other.planned.dependencies.some((dependency) => dependency.service === service);
      const startsAfterIt = other.planned.phase > planned.phase;
      if (dependsOnIt || startsAfterIt)
        assert.ok(!isAlive(other.state), `${service} stopped before ${other.planned.spec.name}`);
    }
  }
}
