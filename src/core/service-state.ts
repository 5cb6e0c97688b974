// The states of one service and the ways between them. The only place that says which way is open; the fleet decides
// which one is taken.

/** Why a service is not what it should be, in words, and the exit code it stands for. */
export interface Failure {
  reason: string;
  exitCode: number;
}

/** `sinceMs` is on the clock's monotonic scale. */
export type ServiceState = { sinceMs: number } & (
  | { name: "pending" }
  /** `launched`: the process runs, or `startup()` has resolved; what is missing is its startup probe, or a task's end. */
  | { name: "starting"; launched: boolean }
  | { name: "started"; /** What its readiness probe said last. */ reason?: string }
  | { name: "ready" }
  | { name: "unready"; reason: string }
  | { name: "completed" }
  /** With a `failure` it is being stopped because of it, and will be `failed`. */
  | { name: "stopping"; failure?: Failure }
  | { name: "stopped"; reason?: string }
  | { name: "failed"; failure: Failure }
  | { name: "skipped"; reason: string }
);

export type StateName = ServiceState["name"];

/*
 * The diagram; test/core/service-state.test.ts compares it with NEXT.
 *
 *   pending   ──▶ starting  skipped  stopped
 *   starting  ──▶ started  completed  stopping  failed
 *   started   ──▶ ready  stopping  stopped  failed
 *   ready     ──▶ unready  stopping  stopped  failed
 *   unready   ──▶ ready  stopping  stopped  failed
 *   stopping  ──▶ stopped  completed  failed
 *   stopped   ──▶
 *   completed ──▶
 *   failed    ──▶
 *   skipped   ──▶
 */
const NEXT: Readonly<Record<StateName, readonly StateName[]>> = {
  pending: ["starting", "skipped", "stopped"],
  starting: ["started", "completed", "stopping", "failed"],
  started: ["ready", "stopping", "stopped", "failed"],
  ready: ["unready", "stopping", "stopped", "failed"],
  unready: ["ready", "stopping", "stopped", "failed"],
  stopping: ["stopped", "completed", "failed"],
  stopped: [],
  completed: [],
  failed: [],
  skipped: [],
};

/** The next state, if the way there is open; an internal error if it is not. */
export function transition(from: ServiceState, to: ServiceState): ServiceState {
  if (!NEXT[from.name].includes(to.name)) {
    throw new Error(`internal: no way from ${from.name} to ${to.name}`);
  }
  return to;
}

/** Something of it is running: a process, or code that holds resources. */
export function isAlive({ name }: ServiceState): boolean {
  return (
    name === "starting" || name === "started" || name === "ready" || name === "unready" || name === "stopping"
  );
}

/** Boot no longer waits for it. */
export function isSettled({ name }: ServiceState): boolean {
  return name !== "pending" && name !== "starting";
}
