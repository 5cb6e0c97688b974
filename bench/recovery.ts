// recovery-100k: how long a start takes from opening a database with 100,000 executions in its log, 10,000 of them open in the middle of
// a saga, until all of those are claimed and folded: then the runtime may be ready. The floor is a bare read of the same logs.
import { copyFile } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";
import { saga } from "../src/plane/saga-builder.ts";
import type { Commit, NewRecord } from "../src/ports/store.ts";
import { alternate } from "./measure.ts";
import { openPlane, SESSION, TENANT } from "./plane.ts";
import type { Row } from "./row.ts";
import { within } from "./wal.ts";

const EXECUTIONS = 100_000;
const OPEN_EVERY = 10;
const COMMIT_OF = 20;

export const recovery100k: Row = {
  name: "recovery-100k",
  unit: "ms",
  target: { valueMax: 2000 },
  cost: "each log folded event by event, so that what could not have happened is not taken for the truth; a claim for each.",
  async measure() {
    return within(fill, async ({ path }) => {
      const fresh = async (): Promise<string> => {
        await copyFile(path, `${path}.copy`);
        return `${path}.copy`;
      };
      const result = await alternate(
        { count: 5 },
        { value: async () => recover(await fresh()), floor: async () => readBare(await fresh()) },
      );
      return { ...result, note: `${EXECUTIONS / OPEN_EVERY} open` };
    });
  },
};

async function recover(path: string): Promise<number> {
  const startMs = performance.now();
  const { engine, close } = await openPlane(`sqlite:${path}`);
  await engine.recover();
  const tookMs = performance.now() - startMs;
  if (engine.openCount !== EXECUTIONS / OPEN_EVERY)
    throw new Error(`cannot measure: ${engine.openCount} are open`);
  await close();
  return tookMs;
}

async function readBare(path: string): Promise<number> {
  const startMs = performance.now();
  const database = new DatabaseSync(path);
  const open = database.prepare("SELECT key, value FROM entry WHERE key >= 'open/' AND key < 'open0'").all();
  const log = database.prepare(
    "SELECT log.* FROM execution JOIN log ON log.execution = execution.id WHERE execution.name = ? AND execution.tenant = 1 ORDER BY log.id",
  );
  let records = 0;
  for (const { key } of open) {
    for (const { payload } of log.all(String(key).slice("open/".length))) {
      if (JSON.parse(String(payload)) !== undefined) records++;
    }
  }
  database.close();
  if (records === 0) throw new Error("cannot measure: there is nothing to read");
  return performance.now() - startMs;
}

/** A database as an engine leaves it, written with fewer commits. */
async function fill(path: string): Promise<{ path: string; close(): Promise<void> }> {
  const { store, intents, engine, close } = await openPlane(`sqlite:${path}`);
  intents.registerSaga(
    saga("bench")
      .step("one", { execute: () => 1 })
      .signal("go"),
  );
  const { definition = "" } = intents.ofType("bench") ?? {};
  const { ids } = engine;
  const executionOf = (index: number): Required<Pick<Commit, "append" | "put">> => {
    const execution = ids.execution(index);
    const isOpen = index % OPEN_EVERY === 0;
    const record = (type: NewRecord["type"], payload: NewRecord["payload"], step?: string): NewRecord => ({
      id: ids.event(),
      type,
      session: SESSION,
      execution,
      ...(step !== undefined && { step }),
      payload,
    });
    return {
      append: [
        record("intent_received", { type: "bench", definition, payload: { index } }),
        record("saga_started", { definition: "bench", version: "1", hash: definition }),
        record("step_started", { attempt: 1 }, "one"),
        record("step_completed", { attempt: 1, output: 1 }, "one"),
        record("step_started", { attempt: 1, waits: true }, "go"),
        ...(isOpen ? [] : [record("signal_received", { name: "go" })]),
        ...(isOpen ? [] : [record("step_completed", { attempt: 1, output: null, signal: "go" }, "go")]),
        ...(isOpen ? [] : [record("saga_completed", {})]),
      ],
      put: [
        isOpen
          ? { key: `open/${execution}`, value: { definition, type: "bench", session: SESSION } }
          : { key: `execution/${execution}`, value: { type: "bench", session: SESSION, state: "completed" } },
      ],
    };
  };
  for (let index = 0; index < EXECUTIONS; index += COMMIT_OF) {
    const part = Array.from({ length: COMMIT_OF }, (_, offset) => executionOf(index + offset));
    await store.commit(TENANT, {
      append: part.flatMap(({ append }) => append),
      put: part.flatMap(({ put }) => put),
    });
  }
  await close();
  return { path, close: async () => {} };
}
