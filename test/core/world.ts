// A fleet for tests that tell it one thing after another and look at what it has become.
import type { Effect, FleetEvent } from "../../src/core/event.ts";
import { Fleet, type FleetOptions } from "../../src/core/fleet.ts";
import { createPlan } from "../../src/core/plan.ts";
import { PLAIN_SPEC, type ServiceSpec } from "../../src/core/spec.ts";

export type Told = Omit<Extract<FleetEvent, { service: string; incarnation: number }>, "incarnation">;

/** A fleet that remembers what it asked for, told about the incarnation that is running. */
export function world(specs: readonly ServiceSpec[], options?: FleetOptions) {
  const fleet = new Fleet(createPlan(specs), options);
  let now = 0;
  const effects: Effect[] = [];
  const tell = (event: FleetEvent, atMs = now) => {
    now = atMs;
    const next = fleet.fold(event, now);
    effects.push(...next);
    return next;
  };
  const about = (event: Told, atMs = now) =>
    tell({ ...event, incarnation: fleet.member(event.service)?.incarnation ?? 0 } as FleetEvent, atMs);
  const up = (...names: string[]) => names.forEach((service) => about({ type: "service-launched", service }));
  const exit = (service: string, code: number | null = 1, atMs = now) =>
    about({ type: "service-exited", service, code, signal: code === null ? "SIGKILL" : null } as Told, atMs);
  const boot = (...names: string[]) => {
    tell({ type: "boot-requested" });
    up(...names);
  };
  const state = (name: string) => fleet.member(name)?.state.name;
  const launches = (name: string) =>
    effects.filter((effect) => effect.type === "launch" && effect.service === name).length;
  const gaveUp = () => effects.find((effect) => effect.type === "give-up");
  return { fleet, tell, about, up, exit, boot, state, launches, gaveUp, effects };
}

export const restart = (over: Partial<ServiceSpec["restart"]> = {}) => ({
  restart: { ...PLAIN_SPEC.restart, policy: "on-failure" as const, ...over },
});
