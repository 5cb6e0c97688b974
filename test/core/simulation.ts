// A world for the fleet: performs its effects by the flips of a scripted coin, and checks at every step what must always
// hold. Used by property tests; a failing run is replayed by fast-check from its seed.
import assert from "node:assert/strict";
import type { Effect, FleetEvent } from "../../src/core/event.ts";
import { Fleet, type FleetOptions } from "../../src/core/fleet.ts";
import { createPlan, type Plan, type PlannedDependency, type PlannedService } from "../../src/core/plan.ts";
import { isAlive, type StateName } from "../../src/core/service-state.ts";
import type { ServiceSpec } from "../../src/core/spec.ts";

export class Simulation {
  readonly plan: Plan;
  readonly fleet: Fleet;
  /** Names in the order of their launch. */
  readonly launched: string[] = [];
  readonly gaveUp: Extract<Effect, { type: "give-up" }>[] = [];
  /** What can happen next in the world. */
  #possible: FleetEvent[] = [];
  /** By service: the state that was announced last. */
  readonly #states = new Map<string, StateName>();
  /** Services that run, really, and those of them that have been asked to stop. */
  readonly #alive = new Set<string>();
  readonly #stopping = new Set<string>();
  /** Services that have said that they are launched, in this life. */
  readonly #saidLaunched = new Set<string>();
  /** Services that have settled once; boot does not wait for them any more. */
  readonly #settled = new Set<string>();
  /** Services that somebody wants down, now or for good, together with others. */
  readonly #ordered = new Set<string>();
  readonly #held = new Set<string>();
  /** When services were restarted by their policy since somebody last started them. */
  readonly #restarts = new Map<string, number[]>();
  #ending = false;
  #now = 0;

  constructor(specs: readonly ServiceSpec[], options: FleetOptions = {}) {
    this.plan = createPlan(specs);
    this.fleet = new Fleet(this.plan, options);
  }

  tell(event: FleetEvent): void {
    if (event.type === "service-launched") this.#saidLaunched.add(event.service);
    if (event.type === "service-exited" || event.type === "service-launch-failed") this.#bury(event.service);
    if (event.type === "stop-requested") this.#ending = true;
    if ("services" in event) this.#note(event);
    if (event.type === "schedule-came-due") this.#restarts.delete(event.service);
    for (const effect of this.fleet.fold(event, this.#now++)) this.#perform(effect);
  }

  /** Lets one of the possible things happen; false when nothing can. `coin` is a number below 2^32. */
  step(coin: number): boolean {
    const event = this.#possible[coin % this.#possible.length];
    if (!event) return false;
    this.#possible = this.#possible.filter((other) => other !== event);
    this.tell(event);
    return true;
  }

  /** Somebody orders something of some services, or a scheduled task is due. */
  order(coin: number): void {
    const names = this.plan.services.map(({ spec }) => spec.name);
    const services = names.filter((_, index) => ((coin >>> (index % 24)) & 7) === 0);
    const due = this.plan.services.filter(({ spec }) => spec.schedule)[coin % 3];
    const types = ["start-requested", "hold-requested", "restart-requested"] as const;
    if (coin % 4 < 3) this.tell({ type: types[coin % 3] ?? "start-requested", services });
    else if (due) this.tell({ type: "schedule-came-due", service: due.spec.name });
  }

  #note({ type, services }: Extract<FleetEvent, { services: readonly string[] }>): void {
    for (const service of services) {
      this.#restarts.delete(service);
      if (type !== "start-requested" && this.#alive.has(service)) this.#ordered.add(service);
      // What a task has done stays done.
      if (type !== "hold-requested") this.#held.delete(service);
      else if (this.#states.get(service) !== "completed") this.#held.add(service);
    }
  }

  #perform(effect: Effect): void {
    switch (effect.type) {
      case "launch":
        this.#checkLaunch(effect.service);
        this.launched.push(effect.service);
        this.#alive.add(effect.service);
        return this.#offerOutcomes(effect);
      case "watch": {
        const { service, incarnation, probe } = effect;
        const times = { service, incarnation, probe };
        this.#possible.push({ type: "probe-passed", ...times });
        if (probe !== "startup") this.#possible.push({ type: "probe-failed", reason: "no", ...times });
        return;
      }
      case "stop":
        this.#checkStop(effect.service);
        this.#stopping.add(effect.service);
        this.#forget(effect.service);
        return this.#offerEnd(effect, 0);
      case "kill":
        assert.ok(this.#alive.has(effect.service), `${effect.service} was killed and does not live`);
        this.#forget(effect.service);
        return this.#offerEnd(effect, 9);
      case "arm": {
        const { service, incarnation, deadline } = effect;
        this.#possible.push({ type: "deadline-passed", deadline, service, incarnation });
        return;
      }
      case "disarm":
        this.#possible = this.#possible.filter(
          (event) => event.type !== "deadline-passed" || event.service !== effect.service,
        );
        return;
      case "announce":
        return this.#remember(effect);
      case "give-up":
        this.gaveUp.push(effect);
        return;
      default:
        return;
    }
  }

  #offerOutcomes({ service, incarnation }: { service: string; incarnation: number }): void {
    const target = { service, incarnation };
    this.#possible.push({ type: "service-launched", ...target });
    this.#possible.push({ type: "service-launch-failed", reason: "not found", ...target });
    this.#offerEnd(target, 3);
    if (this.fleet.member(service)?.planned.spec.task) this.#offerEnd(target, 0);
  }

  #offerEnd({ service, incarnation }: { service: string; incarnation: number }, code: number): void {
    this.#possible.push({ type: "service-exited", service, incarnation, code, signal: null });
  }

  /** Nothing more can come of it but what is timed. */
  #forget(service: string): void {
    this.#possible = this.#possible.filter(
      (event) => event.type === "deadline-passed" || !("service" in event && event.service === service),
    );
  }

  #bury(service: string): void {
    this.#forget(service);
    for (const set of [this.#alive, this.#stopping, this.#saidLaunched, this.#ordered]) set.delete(service);
  }

  #remember({ service, to, reason }: Extract<Effect, { type: "announce" }>): void {
    this.#states.set(service, to);
    if (to !== "pending" && to !== "starting") this.#settled.add(service);
    // It goes down because of itself, whoever else is still there.
    if (to === "stopping" && reason !== undefined) this.#stopping.add(service);
    if (to !== "backoff") return;
    const { limit } = this.#planned(service).spec.restart;
    const times = (this.#restarts.get(service) ?? []).filter((time) => time > this.#now - 1 - limit.windowMs);
    this.#restarts.set(service, [...times, this.#now - 1]);
    assert.ok(times.length < limit.count, `${service} was restarted more often than its limit allows`);
  }

  #checkLaunch(service: string): void {
    assert.ok(!this.#alive.has(service), `${service} was started while it lives`);
    assert.ok(!this.#ending, `${service} was started while everything stops`);
    assert.ok(!this.#held.has(service), `${service} was started, which somebody has stopped`);
    const planned = this.#planned(service);
    for (const dependency of planned.dependencies) {
      const given = !dependency.required && this.#isLost(dependency);
      assert.ok(
        given || this.#isMet(dependency),
        `${service} started before ${dependency.service} was ${dependency.condition}`,
      );
    }
    if (planned.spec.schedule || this.#settled.has(service)) return;
    for (const { spec, effectivePriority } of this.plan.services) {
      if (effectivePriority <= planned.effectivePriority || spec.schedule) continue;
      assert.ok(this.#settled.has(spec.name), `${service} started before ${spec.name} had settled`);
    }
  }

  #checkStop(service: string): void {
    const isItsOwnFault = this.#stopping.has(service);
    assert.ok(this.#alive.has(service), `${service} was stopped and does not live`);
    if (isItsOwnFault) return;
    const planned = this.#planned(service);
    for (const { index, planned: other, state } of this.fleet.members) {
      const dependsOnIt = planned.dependents.includes(index);
      const isBefore = this.#ending
        ? dependsOnIt || other.phase > planned.phase
        : dependsOnIt && this.#ordered.has(other.spec.name);
      assert.ok(!isBefore || !isAlive(state), `${service} stopped before ${other.spec.name}`);
    }
  }

  #isMet({ condition, indexes }: PlannedDependency): boolean {
    const isMet = (index: number) => {
      const name = this.plan.services[index]?.spec.name ?? "";
      const state = this.#states.get(name);
      if (condition === "completed") return state === "completed";
      if (condition === "ready") return state === "ready" || state === "completed";
      const isUp = state === "started" || state === "ready" || state === "unready" || state === "completed";
      return isUp || (state === "starting" && this.#saidLaunched.has(name));
    };
    return condition === "ready" ? indexes.some(isMet) : indexes.every(isMet);
  }

  #isLost({ condition, indexes }: PlannedDependency): boolean {
    const isLost = (index: number) => {
      const name = this.plan.services[index]?.spec.name ?? "";
      const state = this.#states.get(name) ?? "pending";
      return state === "failed" || state === "skipped" || (state === "stopped" && !this.#held.has(name));
    };
    return condition === "ready" ? indexes.every(isLost) : indexes.some(isLost);
  }

  #planned(service: string): PlannedService {
    const planned = this.fleet.member(service)?.planned;
    assert.ok(planned);
    return planned;
  }
}
