// All operations of the plane's HTTP API. A new one goes into the file of its kind; a new kind goes here.
import { executionOperations } from "./plane-executions.ts";
import type { PlaneLimits } from "./plane-limits.ts";
import type { Operation } from "./plane-operation.ts";
import { registryOperations } from "./plane-registry.ts";
import { sessionOperations } from "./plane-sessions.ts";
import { stateOperations } from "./plane-state.ts";
import { walOperations } from "./plane-wal.ts";

export function operationsOf(limits: PlaneLimits): Operation[] {
  const kinds = [sessionOperations, executionOperations, stateOperations, walOperations, registryOperations];
  return kinds.flatMap((kind) => kind(limits));
}
