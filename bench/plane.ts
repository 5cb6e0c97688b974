// An engine over a store as the runtime has one, for the rows that measure it. Who a session belongs to is not measured: there
// is one, and it is taken for there.
import { createHash } from "node:crypto";
import { openStoreAt } from "../src/compose/store-at.ts";
import { systemClock } from "../src/drivers/clock.ts";
import { Engine } from "../src/plane/engine.ts";
import { TenantExecutions } from "../src/plane/executions.ts";
import { IntentRegistry } from "../src/plane/intents.ts";
import type { Session } from "../src/ports/plane.ts";
import type { Ownerships, Store } from "../src/ports/store.ts";

export const TENANT = "default";
export const SESSION = "session_0123456789abcdefghijkl";

const LIMITS = { bodyBytesMax: 1 << 20, keyBytesMax: 512, pageMax: 1000 };

export interface BenchPlane {
  engine: Engine;
  intents: IntentRegistry;
  executions: TenantExecutions;
  store: Store & Ownerships;
  close(): Promise<void>;
}

/** Nothing is claimed, and nothing moves yet. */
export async function openPlane(url: string): Promise<BenchPlane> {
  const clock = systemClock();
  const store = await openStoreAt(url, { clock, cwd: "/" });
  const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
  const intents = new IntentRegistry({ sha256, fetch, bodyBytesMax: 1 << 20 });
  const onError = (message: string): never => {
    throw new Error(message);
  };
  const engine = new Engine({ store, intents, clock, failpoint: () => {}, onError });
  const sessions = { get: (id: string) => Promise.resolve({ id } as Session) };
  return {
    engine,
    intents,
    executions: new TenantExecutions({ tenant: TENANT, engine, sessions, limits: LIMITS }),
    store,
    close: () => store.close(),
  };
}
