// The store's contract, run against every driver: in memory, and in a SQLite file, both on a clock that is turned by hand.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe } from "node:test";
import { openStoreAt } from "../../src/compose/store-at.ts";
import { testClock } from "../../src/compose/testing.ts";
import { storeContract } from "./store.ts";
import type { StoreRig } from "./store-tools.ts";
import { expectationContract } from "./store-expectations.ts";

async function memoryRig(): Promise<StoreRig> {
  const clock = testClock();
  const store = await openStoreAt("memory:", { clock, cwd: "/" });
  return { store, turn: (ms) => clock.advance(ms), [Symbol.asyncDispose]: () => store.close() };
}

async function sqliteRig(): Promise<StoreRig> {
  const clock = testClock();
  const cwd = mkdtempSync(join(tmpdir(), "haraka-store-"));
  const store = await openStoreAt("sqlite:data/haraka.db", { clock, cwd });
  return {
    store,
    turn: (ms) => clock.advance(ms),
    async [Symbol.asyncDispose]() {
      await store.close();
      rmSync(cwd, { recursive: true });
    },
  };
}

storeContract("memory", memoryRig);
storeContract("sqlite", sqliteRig);
describe("memory: what comes next", () => expectationContract(memoryRig));
describe("sqlite: what comes next", () => expectationContract(sqliteRig));
