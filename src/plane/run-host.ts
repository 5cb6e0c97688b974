// What the run of an execution needs of the engine that it belongs to.
import type { Clock } from "../ports/clock.ts";
import type { Failpoint } from "../ports/failpoint.ts";
import type { Store } from "../ports/store.ts";
import type { Deadlines } from "./calls.ts";
import type { Ids } from "./ids.ts";
import type { Handler } from "./intents.ts";

export interface RunHost<Run> {
  readonly store: Store;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly failpoint: Failpoint;
  readonly deadlines: Deadlines;
  /** `held`: nothing is begun yet. `finishing`: no further call goes out. */
  readonly mode: "held" | "running" | "finishing" | "over";
  nowMs(): number;
  /** When what ends now goes from the store. */
  keptUntil(): { expiresAtMs?: number };
  /** It is that late for the store. */
  heard(timeMs: number): void;
  random(): number;
  handlerOf(definition: string): Handler | undefined;
  /** It has something to do. */
  soon(run: Run): void;
  wakeAt(run: Run, atMs: number | undefined): void;
  /** It is in another state by now. */
  changed(run: Run): void;
  /** Somebody else owns it by now. */
  fenced(run: Run): void;
  /** What was decided could not be written, or something went wrong in between. */
  failed(run: Run, error: unknown): void;
}
