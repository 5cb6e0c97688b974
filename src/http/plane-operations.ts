// All operations of the plane's HTTP API. A new one goes into the file of its kind; a new kind goes here.
import { executionOperations } from "./plane-executions.ts";
import type { PlaneLimits } from "./plane-limits.ts";
import type { Operation } from "./plane-operation.ts";
import { sessionOperations } from "./plane-sessions.ts";
import { stateOperations } from "./plane-state.ts";
import { walOperations } from "./plane-wal.ts";

export function operationsOf(limits: PlaneLimits): Operation[] {
  return [sessionOperations, executionOperations, stateOperations, walOperations].flatMap((kind) =>
    kind(limits),
  );
}
