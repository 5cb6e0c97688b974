// What the store has of an execution beside its log, so that reading one does not fold it: an entry under a key that sorts by creation,
// whole once the execution has ended; and, as long as it has not, one that says so.
import { keyOf } from "../core/key.ts";
import type { Execution, ExecutionState } from "../ports/plane.ts";
import type { Json } from "../ports/store.ts";

const ENDED: ReadonlySet<ExecutionState> = new Set(["completed", "compensated", "cancelled", "failed"]);

export const isEnded = (state: ExecutionState): boolean => ENDED.has(state);

/** It has ended, or goes on only when somebody says so. */
export const isSettled = (state: ExecutionState): boolean => state === "parked" || isEnded(state);

export const EXECUTIONS = "execution/";
export const OPEN = "open/";

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

/** Of an execution that goes on. */
export function openEntry({ type, session }: Pick<Facts, "type" | "session">, state: ExecutionState): Json {
  return { type, session, state };
}

/** Of one that has ended. */
export function endedEntry({ id: _id, tenant: _tenant, ...rest }: Execution): Json {
  return rest as unknown as Json;
}

/** `undefined`: it has not ended, so its log has to be read. */
export function endedExecution(
  value: Json,
  { id, tenant }: { id: string; tenant: string },
): Execution | undefined {
  const entry = value as unknown as Omit<Execution, "id" | "tenant">;
  if (!isEnded(entry.state)) return undefined;
  const { type, ...rest } = entry;
  return { id, type, tenant, ...rest };
}

/** As much of an entry as a filter needs. */
export const headOf = (value: Json): { type: string; session: string; state: ExecutionState } =>
  value as unknown as { type: string; session: string; state: ExecutionState };
