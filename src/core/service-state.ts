// The states of one service and the ways between them. The only place that says which way is open; the fleet decides
// which one is taken.

/** Why a service is not what it should be, in words, and the exit code it stands for. */
export interface Failure {
  reason: string;
  exitCode: number;
}

/** `sinceMs` is on the clock's monotonic scale. */
export type ServiceState = { sinceMs: number } &
  /** With a `failure` it has ended by itself and is to start again, as its policy allows. */
  (
    | { name: "pending"; failure?: Failure }
    /** `launched`: the process runs, or `startup()` has resolved; what is missing is its startup probe, or a task's end. */
    | { name: "starting"; launched: boolean }
    | { name: "started"; /** What its readiness probe said last. */ reason?: string }
    | { name: "ready" }
    | { name: "unready"; reason: string }
    | { name: "completed" }
    /** It has ended and is started again at `untilMs`. */
    | { name: "backoff"; failure: Failure; untilMs: number }
    /** With a `failure` it is being stopped because of it. */
    | { name: "stopping"; failure?: Failure }
    /** `held`: somebody wanted it down, and may want it up again. */
    | { name: "stopped"; held?: true }
    | { name: "failed"; failure: Failure }
    | { name: "skipped"; reason: string }
  );

export type StateName = ServiceState["name"];

/*
 * The diagram; test/core/service-state.test.ts compares it with NEXT.
 *
 *   pending   ──▶ starting  skipped  stopped
 *   starting  ──▶ started  completed  backoff  stopping  failed
 *   started   ──▶ ready  backoff  stopping  stopped  failed
 *   ready     ──▶ unready  backoff  stopping  stopped  failed
 *   unready   ──▶ ready  backoff  stopping  stopped  failed
 *   backoff   ──▶ pending  stopped  failed
 *   stopping  ──▶ pending  backoff  stopped  completed  failed
 *   stopped   ──▶ pending
 *   completed ──▶ pending  stopped
 *   failed    ──▶ pending  stopped
 *   skipped   ──▶ pending  stopped
 */
const NEXT: Readonly<Record<StateName, readonly StateName[]>> = {
  pending: ["starting", "skipped", "stopped"],
  starting: ["started", "completed", "backoff", "stopping", "failed"],
  started: ["ready", "backoff", "stopping", "stopped", "failed"],
  ready: ["unready", "backoff", "stopping", "stopped", "failed"],
  unready: ["ready", "backoff", "stopping", "stopped", "failed"],
  backoff: ["pending", "stopped", "failed"],
  stopping: ["pending", "backoff", "stopped", "completed", "failed"],
  stopped: ["pending"],
  completed: ["pending", "stopped"],
  failed: ["pending", "stopped"],
  skipped: ["pending", "stopped"],
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
