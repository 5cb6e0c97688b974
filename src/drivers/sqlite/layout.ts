// What those who read and write a SQLite database of ours have to agree on besides its schema (file.ts).
import type { SQLInputValue } from "node:sqlite";
import type { NewRecord } from "../../ports/store.ts";

/** Records of one tenant, and tenants: together what a whole number of JavaScript holds. A record's `id` is TENANT * SEQ_MAX + SEQ. */
export const SEQ_MAX = 2 ** 33;
export const TENANTS_MAX = 2 ** 20;

/** These two are there only while it is the target of a migration. */
export const COPY_TABLES = `
  CREATE TABLE IF NOT EXISTS copy_mark (mark TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS copy_position (tenant INTEGER PRIMARY KEY, position TEXT NOT NULL);
`;
export const IS_COPY = "SELECT 1 FROM sqlite_schema WHERE name = 'copy_mark'";
export const COPY_MARK = "SELECT mark FROM copy_mark";

/** Where a record stands. Executions are numbers there. */
interface LogPlace {
  tenant: number;
  seq: number;
  timeMs: number;
  execution: number | null;
}

/** Takes {@link logParameters}. */
export const INSERT_LOG =
  "INSERT INTO log (id, time_ms, type, event, session, execution, saga, step, payload) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";

/** In the order of {@link INSERT_LOG}. */
export function logParameters(
  { tenant, seq, timeMs, execution }: LogPlace,
  { record, payload }: { record: Omit<NewRecord, "payload" | "execution">; payload: string },
): SQLInputValue[] {
  const { id, type, session, saga, step } = record;
  return [
    tenant * SEQ_MAX + seq,
    timeMs,
    type,
    id,
    session ?? null,
    execution,
    saga ?? null,
    step ?? null,
    payload,
  ];
}
