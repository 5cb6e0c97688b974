// What the fleet is told and what it asks for in return. Events are in the past tense and carry the incarnation they speak
// of; effects are imperative. A stale event is dropped by the fleet, so whoever sends one need not check.
import type { StateName } from "./service-state.ts";

/** One life of one service. */
export interface Target {
  service: string;
  /** Counts from 1. */
  incarnation: number;
}

export type ProbeName = "startup" | "readiness";
export type Deadline = "start" | "stop";

export type FleetEvent =
  | { type: "boot-requested" }
  /** The time for the whole start is over. */
  | { type: "startup-timed-out"; timeoutMs: number }
  | ({ type: "service-launched"; pid?: number; manual?: boolean } & Target)
  | ({ type: "service-launch-failed"; reason: string } & Target)
  | ({ type: "service-exited"; code: number | null; signal: string | null; reason?: string } & Target)
  | ({ type: "service-marked-ready" } & Target)
  | ({ type: "probe-passed"; probe: ProbeName } & Target)
  | ({ type: "probe-failed"; probe: ProbeName; reason: string } & Target)
  | ({ type: "deadline-passed"; deadline: Deadline } & Target)
  /** Stop everything, in order. */
  | { type: "stop-requested" }
  /** Kill everything, now. */
  | { type: "kill-requested" };

export type Effect =
  | ({ type: "launch" } & Target)
  /** Ask it to end. */
  | ({ type: "stop" } & Target)
  | ({ type: "kill" } & Target)
  | ({ type: "arm"; deadline: Deadline; delayMs: number } & Target)
  | ({ type: "disarm"; deadline: Deadline } & Target)
  | ({ type: "watch"; probe: ProbeName } & Target)
  | ({ type: "unwatch" } & Target)
  /** Tell the world that a service is in another state. */
  | ({ type: "announce"; from: StateName; to: StateName; reason?: string; pid?: number } & Target)
  /** The runtime has to end, with this code. Asked for once. */
  | { type: "give-up"; service?: string; reason: string; exitCode: number; during: "boot" | "run" };
