// What the store has of an execution beside its log: one entry, `open/ID`, as long as it goes on, and another, `execution/ID`, from its
// end, with all of it, so that reading what has ended folds no log. Keys sort by creation. They change in the commit that says so.
import type { Json } from "../core/json.ts";
import { keyOf } from "../core/key.ts";
import type { Execution, ExecutionState } from "../ports/plane.ts";
import type { LogRecord } from "../ports/store.ts";

const ENDS: ReadonlySet<ExecutionState> = new Set(["completed", "compensated", "cancelled", "failed"]);

export const isEnded = (state: ExecutionState): boolean => ENDS.has(state);

/** It has ended, or goes on only when somebody says so. */
export const isSettled = (state: ExecutionState): boolean => state === "parked" || isEnded(state);

export const ENDED = "execution/";

export const executionKey = (id: string): string => keyOf("execution", id);
export const openKey = (id: string): string => keyOf("open", id);
export const idempotencyEntryKey = (key: string): string => keyOf("idempotency", key);

/** What never changes of an execution, from its first record. */
export interface Facts {
  tenant: string;
  id: string;
  type: string;
  session: string;
  /** Of what carries it out, as it was when the intent came. */
  definition: string;
  payload: Json;
  createdAtMs: number;
}

/** What its first record says, which is always that the intent has come. */
export function factsOf({ tenant, type, session = "", payload, timeMs }: LogRecord, id: string): Facts {
  if (type !== "intent_received") throw new Error(`internal: the log of "${id}" begins with ${type}`);
  const received = payload as { type: string; definition: string; payload: Json };
  return {
    tenant,
    id,
    type: received.type,
    session,
    definition: received.definition,
    payload: received.payload,
    createdAtMs: timeMs,
  };
}

/** Of an execution that goes on. Its state is not here: its owner and its log have that. */
export function openEntry({
  type,
  session,
  definition,
}: Omit<Facts, "tenant" | "id" | "payload" | "createdAtMs">): Json {
  return { definition, type, session };
}

/** Of one that has ended. */
export function endedEntry({ id: _id, tenant: _tenant, ...rest }: Execution): Json {
  return rest as unknown as Json;
}

export function endedExecution(value: Json, { id, tenant }: { id: string; tenant: string }): Execution {
  const { type, ...rest } = value as unknown as Omit<Execution, "id" | "tenant">;
  return { id, type, tenant, ...rest };
}

/** As much of either entry as a filter needs. */
export const headOf = (value: Json): { type: string; session: string } =>
  value as unknown as { type: string; session: string };
