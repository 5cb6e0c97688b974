// An engine over a real store, in memory or in a SQLite file, with a clock that is turned by hand or the system's own. It can be let
// fall, as if its process had died, and started again over the same file.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStoreAt } from "../../src/compose/store-at.ts";
import { testClock } from "../../src/compose/testing.ts";
import { PlaneError, type StoreError } from "../../src/errors.ts";
import { Engine } from "../../src/plane/engine.ts";
import { TenantExecutions } from "../../src/plane/executions.ts";
import { IntentRegistry } from "../../src/plane/intents.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { Failpoint } from "../../src/ports/failpoint.ts";
import type { Execution, ExecutionState, Session } from "../../src/ports/plane.ts";
import type { LogRecord, Ownerships, Store, WalType } from "../../src/ports/store.ts";

export const SESSION = "session_1";
export const TENANT = "shop";
export const LIMITS = { bodyBytesMax: 1 << 20, keyBytesMax: 512, pageMax: 1000 };

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** Stands in for the wing that keeps sessions: this one is there, no other. */
export const sessions = {
  get: (id: string): Promise<Session> =>
    id === SESSION
      ? Promise.resolve({
          id,
          tenant: TENANT,
          user: "u",
          context: {},
          state: "active",
          version: 1,
          createdAtMs: 0,
          updatedAtMs: 0,
          expiresAtMs: 0,
        })
      : Promise.reject(new PlaneError("not-found", "cannot find the session")),
};

export interface Started {
  engine: Engine;
  intents: IntentRegistry;
  executions: TenantExecutions;
  store: Store & Ownerships;
  errors: unknown[];
}

export interface StartOptions {
  url: string;
  cwd: string;
  clock: Clock;
  failpoint?: Failpoint;
  /** Registers what there is, before executions move. */
  register?: (intents: IntentRegistry) => void;
  /** Default true. */
  run?: boolean;
  /** What the engine sees of the store. */
  wrap?: (store: Store & Ownerships) => Store & Ownerships;
}

type RigOptions = Pick<StartOptions, "register" | "run" | "failpoint" | "wrap">;

export async function start({
  url,
  cwd,
  clock,
  failpoint = () => {},
  register = () => {},
  run = true,
  wrap = (store) => store,
}: StartOptions): Promise<Started> {
  let engine: Engine | undefined;
  const onLost = (error: StoreError): void => engine?.lost(error);
  const store = wrap(await openStoreAt(url, { clock, cwd, failpoint, onLost }));
  const intents = new IntentRegistry({ sha256, fetch, bodyBytesMax: 1 << 20 });
  const errors: unknown[] = [];
  // Halves, so that waits are always the same.
  const options = { random: () => 0.5, onError: (message: string) => errors.push(message) };
  engine = new Engine({ store, intents, clock, failpoint, ...options });
  await engine.recover();
  register(intents);
  if (run) engine.run();
  return {
    engine,
    intents,
    executions: new TenantExecutions({ tenant: TENANT, engine, sessions, limits: LIMITS }),
    store,
    errors,
  };
}

export class Rig implements AsyncDisposable {
  readonly clock = testClock();
  readonly cwd = mkdtempSync(join(tmpdir(), "haraka-engine-"));
  readonly url: string;
  current!: Started;

  private constructor(url: string) {
    this.url = url;
  }

  static async make(url: string, options: RigOptions = {}): Promise<Rig> {
    const rig = new Rig(url);
    await rig.start(options);
    return rig;
  }

  async start(options: RigOptions = {}): Promise<void> {
    this.current = await start({ url: this.url, cwd: this.cwd, clock: this.clock, ...options });
  }

  get executions(): TenantExecutions {
    return this.current.executions;
  }

  get intents(): IntentRegistry {
    return this.current.intents;
  }

  submit(type: string, payload: Parameters<TenantExecutions["submit"]>[0]["payload"] = {}, key?: string) {
    const intent = { type, session: SESSION, payload };
    return this.executions.submit(key === undefined ? intent : { ...intent, idempotencyKey: key });
  }

  /** Lets time go on, a second at a time, until it has settled. */
  async settled(id: string): Promise<Execution> {
    for (let seconds = 0; seconds < 100; seconds++) {
      const execution = await this.executions.get(id);
      if (isSettled(execution.state)) return execution;
      // What needs no time comes first.
      for (let turns = 0; turns < 5; turns++) await this.clock.advance(0);
      await this.clock.advance(1000);
    }
    return assert.fail(`"${id}" does not settle: ${JSON.stringify(await this.executions.get(id))}`);
  }

  /** Resolves once the log of it has such a record. Turns no clock. */
  async until(id: string, type: WalType): Promise<void> {
    for (let turns = 0; turns < 1000; turns++) {
      if ((await this.log(id)).some((record) => record.type === type)) return;
      await this.clock.advance(0);
    }
    assert.fail(`"${id}" has no ${type}: ${traceOf(await this.log(id)).join(", ")}`);
  }

  /** What the wall clock says is so much less from now on. */
  setBack(ms: number): void {
    const { clock } = this;
    const wallTime = clock.wallTime.bind(clock);
    clock.wallTime = () => wallTime() - ms;
  }

  async run(
    type: string,
    payload: Parameters<TenantExecutions["submit"]>[0]["payload"] = {},
  ): Promise<Execution> {
    const { id } = await this.submit(type, payload);
    return this.settled(id);
  }

  async log(execution: string): Promise<readonly LogRecord[]> {
    return this.current.store.log(TENANT, { after: 0, limit: 10_000, execution });
  }

  /** The process ends here, as far as the store can tell: nothing that is under way counts any more. */
  async fall(): Promise<void> {
    this.current.engine.lost(new Error("the process has ended"));
    await this.current.store.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.fall();
    rmSync(this.cwd, { recursive: true, force: true });
  }
}

const isSettled = (state: ExecutionState): boolean =>
  ["completed", "compensated", "cancelled", "failed", "parked"].includes(state);

/** Types, with the step where there is one. */
export function traceOf(records: readonly LogRecord[]): string[] {
  return records.map(({ type, step }) => (step === undefined ? type : `${type} ${step}`));
}

/** For `assert.rejects`: a problem of this kind, at this path if that is said. */
export const isProblem =
  (problem: PlaneError["problem"], path?: string) =>
  (error: unknown): boolean =>
    error instanceof PlaneError &&
    error.problem === problem &&
    (path === undefined || error.errors.some((one) => one.path === path));
