// Everything that happens, as a typed stream: what logs, timelines and `on(event)` listeners are fed from.
import type { Stage } from "../core/budget.ts";
import type { ProbeName } from "../core/event.ts";
import type { StateName } from "../core/service-state.ts";
import type { RuntimeState } from "../core/snapshot.ts";

export type RuntimeEvent = { /** Milliseconds since the Unix epoch. */ atMs: number } & (
  | { type: "runtime-state-changed"; from: RuntimeState; to: RuntimeState }
  | {
      type: "service-state-changed";
      service: string;
      /** Which launch of the service this is about, from 1; 0 before the first. */
      incarnation: number;
      from: StateName;
      to: StateName;
      pid?: number;
      reason?: string;
    }
  | { type: "service-launched"; service: string; incarnation: number; pid?: number }
  /** It never came up. `stack` says where its own code threw, if that was why. */
  | { type: "service-launch-failed"; service: string; incarnation: number; reason: string; stack?: string }
  | {
      type: "service-exited";
      service: string;
      incarnation: number;
      code: number | null;
      signal: string | null;
      /** Where a module's `shutdown()` threw. */
      stack?: string;
    }
  | { type: "service-killed"; service: string; incarnation: number }
  | { type: "probe-passed"; service: string; incarnation: number; probe: ProbeName }
  | {
      type: "probe-failed";
      service: string;
      incarnation: number;
      probe: ProbeName;
      reason: string;
    }
  | { type: "signal-received"; signal: string }
  /** Somebody has asked for it over control. */
  | { type: "order-received"; action: "start" | "stop" | "restart"; services: readonly string[] }
  /** Another config is in force, or was refused and changed nothing. */
  | {
      type: "config-reloaded";
      added: readonly string[];
      changed: readonly string[];
      removed: readonly string[];
    }
  | { type: "reload-refused"; problems: readonly string[] }
  /** A scheduled task's time has come. */
  | { type: "schedule-came-due"; service: string }
  /** The runtime ends, and why; `service` names the one that brought it about, if it was one. */
  | { type: "shutdown-began"; reason: string; exitCode: number; service?: string }
  /** Readiness is 503 from now, and requests are served on: for that long, or until these probers have seen it. */
  | {
      type: "drain-began";
      limitMs: number;
      probers: readonly { source: string; intervalMs: number }[];
    }
  /** A stage of the shutdown is over; `late` names what was cut. */
  | { type: "stage-ended"; stage: Stage; tookMs: number; late: readonly string[] }
  | { type: "background-task-failed"; reason: string }
  | { type: "shutdown-task-failed"; reason: string }
);

/** A {@link RuntimeEvent} before it is stamped. */
export type NewRuntimeEvent = RuntimeEvent extends infer E
  ? E extends unknown
    ? Omit<E, "atMs">
    : never
  : never;
