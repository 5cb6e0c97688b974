// Where the health endpoints get their answers: one immutable snapshot, replaced when something changes.
import type { Limits } from "./control.ts";
import type { Snapshot } from "../core/snapshot.ts";

export interface HealthSource {
  /** The current snapshot; the same object as long as nothing has changed. Costs nothing per request. */
  snapshot(): Snapshot;
  /** The same with what has to be measured, as memory is; looked at when somebody wants to know. Default: the snapshot. */
  measured?(): Snapshot;
  /** Milliseconds since the runtime began to start; 0 before. */
  uptimeMs(): number;
  /** What the container allows; absent where there is none to ask. */
  limits?(): Limits;
}
