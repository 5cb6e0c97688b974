// What the fleet is told and what it asks for in return. Events are in the past tense and carry the incarnation they speak
// of; effects are imperative. A stale event is dropped by the fleet, so whoever sends one need not check.
import type { StateName } from "./service-state.ts";

/** One life of one service. */
export interface Target {
  service: string;
  /** Counts from 1. */
  incarnation: number;
}

export type ProbeName = "startup" | "liveness" | "readiness";
/** `backoff`: the time of the next restart, not a limit. */
export type Deadline = "start" | "stop" | "backoff";

export type FleetEvent =
  | { type: "boot-requested" }
  /** The boot goes no further: nothing starts any more. */
  | { type: "boot-cancelled" }
  /** The time for the whole start is over. */
  | { type: "startup-timed-out"; timeoutMs: number }
  | ({ type: "service-launched"; pid?: number; manual?: boolean; health?: boolean } & Target)
  | ({ type: "service-launch-failed"; reason: string } & Target)
  | ({ type: "service-exited"; code: number | null; signal: string | null; reason?: string } & Target)
  | ({ type: "service-marked-ready" } & Target)
  | ({ type: "probe-passed"; probe: ProbeName } & Target)
  | ({ type: "probe-failed"; probe: ProbeName; reason: string } & Target)
  | ({ type: "deadline-passed"; deadline: Deadline } & Target)
  /** Somebody wants these up; see `selection.ts` for what else they need. */
  | { type: "start-requested"; services: readonly string[] }
  /** Somebody wants these down, dependents before what they depend on: to stay so, or to come up again. */
  | { type: "hold-requested"; services: readonly string[] }
  | { type: "restart-requested"; services: readonly string[] }
  /** A scheduled task's time has come. */
  | { type: "schedule-came-due"; service: string }
  /** Stop everything, in order. */
  | { type: "stop-requested" }
  /** Kill everything, now. */
  | { type: "kill-requested" };

/** What may be asked of the fleet from outside. */
export type Order = Extract<
  FleetEvent,
  { type: "start-requested" | "hold-requested" | "restart-requested" | "schedule-came-due" }
>;

export type Effect =
  | ({ type: "launch" } & Target)
  /** Ask it to end. */
  | ({ type: "stop" } & Target)
  | ({ type: "kill" } & Target)
  /** One deadline at a time; a new one replaces it. */
  | ({ type: "arm"; deadline: Deadline; delayMs: number } & Target)
  | ({ type: "disarm" } & Target)
  | ({ type: "watch"; probe: ProbeName } & Target)
  /** Every probe of it. */
  | ({ type: "unwatch" } & Target)
  /** Tell the world that a service is in another state. */
  | ({ type: "announce"; from: StateName; to: StateName; reason?: string; pid?: number } & Target)
  /** The runtime has to end, with this code. Asked for once. */
  | { type: "give-up"; service?: string; reason: string; exitCode: number; during: "boot" | "run" };
