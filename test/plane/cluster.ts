// Several engines over one store in memory, as replicas over one server, on one clock. A replica is stopped as SIGSTOP stops a process: its
// timers and what it waits for come later than everybody else's; or it is killed, and nobody hears of it again.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { testClock } from "../../src/compose/testing.ts";
import { Engine } from "../../src/plane/engine.ts";
import { TenantExecutions } from "../../src/plane/executions.ts";
import { IntentRegistry } from "../../src/plane/intents.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { Execution } from "../../src/ports/plane.ts";
import type { Ownerships, Store, WalType } from "../../src/ports/store.ts";
import { LeasedStore } from "../fakes/leased-store.ts";
import { LIMITS, SESSION, sessions, TENANT, traceOf } from "./engine-rig.ts";

export const LEASE_MS = 5_000;
const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** A clock whose timers do not ring while it is stopped, and all at once when it goes on. */
function stoppable(clock: Clock): Clock & { stop(): void; goOn(): void } {
  let late: (() => void)[] | undefined;
  return {
    now: () => clock.now(),
    wallTime: () => clock.wallTime(),
    after: (delayMs, run) => clock.after(delayMs, () => (late ? void late.push(run) : run())),
    stop: () => void (late ??= []),
    goOn() {
      const rings = late ?? [];
      late = undefined;
      for (const ring of rings) ring();
    },
  };
}

export class Cluster implements AsyncDisposable {
  readonly clock = testClock();
  store!: LeasedStore;
  readonly replicas: Replica[] = [];

  static async make(): Promise<Cluster> {
    const cluster = new Cluster();
    cluster.store = await LeasedStore.open({ clock: cluster.clock, leaseMs: LEASE_MS });
    return cluster;
  }

  async start(
    register: (intents: IntentRegistry) => void,
    { run = true, wrap = (store) => store }: StartOptions = {},
  ): Promise<Replica> {
    const clock = stoppable(this.clock);
    const { cut, ...ofReplica } = this.store.replica();
    const store = wrap(ofReplica);
    const intents = new IntentRegistry({ sha256, fetch, bodyBytesMax: 1 << 20 });
    const errors: string[] = [];
    const onError = (message: string): void => void errors.push(message);
    const engine = new Engine({ store, intents, clock, failpoint() {}, random: () => 0.5, onError });
    register(intents);
    await engine.recover();
    if (run) engine.run();
    const executions = new TenantExecutions({ tenant: TENANT, engine, sessions, limits: LIMITS });
    const kill = (): void => {
      clock.stop();
      cut();
    };
    const replica = { engine, intents, executions, clock, store, errors, kill };
    this.replicas.push(replica);
    return replica;
  }

  async log(execution: string) {
    return this.store.replica().log(TENANT, { after: 0, limit: 1000, execution });
  }

  async until(execution: string, type: WalType): Promise<void> {
    for (let turns = 0; turns < 1000; turns++) {
      if ((await this.log(execution)).some((record) => record.type === type)) return;
      await this.clock.advance(0);
    }
    assert.fail(`"${execution}" has no ${type}: ${traceOf(await this.log(execution)).join(", ")}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { engine, errors } of this.replicas) {
      engine.lost(new Error("the test is over"));
      assert.deepEqual(errors, []);
    }
    await this.store.close();
  }
}

export interface Replica {
  engine: Engine;
  intents: IntentRegistry;
  executions: TenantExecutions;
  clock: ReturnType<typeof stoppable>;
  store: Store & Ownerships;
  errors: string[];
  kill(): void;
}

interface StartOptions {
  /** Default: true. */
  run?: boolean;
  /** What it sees of the store. */
  wrap?: (store: Store & Ownerships) => Store & Ownerships;
}

export const submit = ({ executions }: Replica, type: string): Promise<Execution> =>
  executions.submit({ type, session: SESSION, payload: {} });
