// A plane over each of the stores, on a clock that is turned by hand and can be set back, with everything in reach that it
// has written. What runs intents is not part of it.
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStoreAt } from "../../src/compose/store-at.ts";
import { type TestClock, testClock } from "../../src/compose/testing.ts";
import { systemClock } from "../../src/drivers/clock.ts";
import { createPlane, type OwnPlane, type PlaneOptions } from "../../src/plane/plane.ts";
import { PlaneError } from "../../src/errors.ts";
import type { Entry, LogRecord, Ownerships, Store } from "../../src/ports/store.ts";
import { sharedRedis } from "../redis/server.ts";
import { openStoreIn, scriptsAt, storeConfig } from "../redis/store-rig.ts";

export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;

const LIMITS = { bodyBytesMax: 1 << 20, keyBytesMax: 512, pageMax: 1000 };
const SESSIONS = { idleMs: 30 * MINUTE_MS, absoluteMs: 24 * HOUR_MS };

export interface PlaneRig extends AsyncDisposable {
  plane: OwnPlane;
  store: Store;
  clock: TestClock;
  /** It is a server's, whose time is the time. */
  isShared: boolean;
  /** Sets the wall clock on, or back. */
  shift(ms: number): void;
  /** Another plane over the same store, or over what `wrap` makes of it. */
  other(options?: { wrap?: (store: Store) => Store } & Partial<PlaneOptions>): OwnPlane;
  /** A plane over what is left when the process has ended; over the same store where it is only in memory. */
  restart(): Promise<OwnPlane>;
  log(tenant: string): Promise<readonly LogRecord[]>;
  entries(tenant: string): Promise<readonly Entry[]>;
  /** Every byte on disk, as text of one character each. */
  disk(): string;
}

export type MakePlane = () => Promise<PlaneRig>;

export const PLANES: readonly (readonly [name: string, make: MakePlane])[] = [
  ["memory", () => makeRig("memory:")],
  ["sqlite", () => makeRig("sqlite:haraka.db")],
  ["redis", () => makeRig("redis:")],
];

async function makeRig(url: string): Promise<PlaneRig> {
  const calls = countedCalls();
  const clock = patientClock(calls.still);
  let shiftMs = 0;
  const shifted = { ...clock, wallTime: () => clock.wallTime() + shiftMs };
  const cwd = mkdtempSync(join(tmpdir(), "haraka-plane-"));
  const server = url === "redis:" ? await sharedRedis() : undefined;
  const { namespace } = storeConfig({ url });
  const scripts = scriptsAt(() => shifted.wallTime());
  const open = async () =>
    calls.of(
      server
        ? await openStoreIn({ url: server.url }, { clock: systemClock(), namespace, scripts })
        : await openStoreAt(url, { clock: shifted, cwd }),
    );
  let store = await open();
  const planes: OwnPlane[] = [];
  const other: PlaneRig["other"] = ({ wrap = (one: Store) => one, ...options } = {}) => {
    const executionsOf = () => assert.fail("nothing runs intents here");
    const made = {
      store: wrap(store),
      clock,
      limits: LIMITS,
      sessions: SESSIONS,
      retentionMs: Infinity,
      executionsOf,
      ...options,
    };
    const plane = createPlane(made);
    planes.push(plane);
    return plane;
  };
  return {
    plane: other(),
    get store() {
      return store;
    },
    clock,
    isShared: server !== undefined,
    shift: (ms) => void (shiftMs += ms),
    other,
    async restart() {
      if (url === "memory:") return other();
      await Promise.all(planes.map((plane) => plane.stop()));
      await store.close();
      store = await open();
      return other();
    },
    log: (tenant) => store.log(tenant, { after: 0, limit: 1_000_000 }),
    entries: async (tenant) => (await store.scan(tenant, { prefix: "", limit: 1_000_000 })).items,
    disk: () =>
      readdirSync(cwd)
        .map((file) => readFileSync(join(cwd, file), "latin1"))
        .join("\n"),
    async [Symbol.asyncDispose]() {
      await Promise.all(planes.map((plane) => plane.stop()));
      await store.close();
      rmSync(cwd, { recursive: true });
    },
  };
}

/** Nobody else has it, so nobody looks twice a second, for days, for what others have lost. */
export function exclusive(store: Store & Ownerships): Store & Ownerships {
  if (store.leaseMs === undefined) return store;
  return new Proxy(store, {
    get: (target, name) => (name === "leaseMs" ? undefined : Reflect.get(target, name)),
  });
}

/** Calls of a store, of which nobody can say how many turns of the loop they take. */
function countedCalls() {
  let open = 0;
  return {
    of: <T extends object>(store: T): T =>
      new Proxy(store, {
        get(target, name) {
          const member: unknown = Reflect.get(target, name);
          if (typeof member !== "function") return member;
          return (...args: unknown[]): unknown => {
            const result: unknown = Reflect.apply(member, target, args);
            if (result instanceof Promise) {
              open++;
              const over = (): void => void open--;
              result.then(over, over);
            }
            return result;
          };
        },
      }),
    /** Resolves when none is under way, nor follows from one that was. */
    async still(): Promise<void> {
      for (let turns = 0; turns < 3; turns++) {
        await new Promise((turn) => setImmediate(turn));
        if (open > 0) turns = -1;
      }
    },
  };
}

/** A clock that is turned by hand, and goes on only when what follows from a turn has happened. */
function patientClock(still: () => Promise<void>): TestClock {
  const clock = testClock();
  const due = new Set<{ atMs: number }>();
  return {
    ...clock,
    after(delayMs, run) {
      const timer = { atMs: clock.now() + Math.max(0, delayMs) };
      due.add(timer);
      const cancel = clock.after(delayMs, () => {
        due.delete(timer);
        run();
      });
      return () => {
        due.delete(timer);
        cancel();
      };
    },
    async advance(ms) {
      const untilMs = clock.now() + ms;
      for (;;) {
        await still();
        const nextMs = Math.min(...[...due].map(({ atMs }) => atMs));
        await clock.advance(Math.min(nextMs, untilMs) - clock.now());
        if (nextMs > untilMs) return still();
      }
    },
  };
}

/** The error that it rejects with has to be this one. */
export async function rejects(
  promise: Promise<unknown>,
  problem: PlaneError["problem"],
  message: RegExp = /^cannot /,
): Promise<PlaneError> {
  const error = await promise.then(
    () => assert.fail(`it does not reject with ${problem}`),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof PlaneError, String(error));
  assert.equal(error.problem, problem);
  assert.match(error.message, message);
  return error;
}

/** The next `count` of it. */
export async function take<T>(items: AsyncIterable<T>, count: number): Promise<T[]> {
  const taken: T[] = [];
  if (count > 0)
    for await (const item of items) {
      taken.push(item);
      if (taken.length === count) break;
    }
  return taken;
}

/** Names that are easily taken for one another, or for something else. */
export const NAMES = [
  "a",
  "a:b",
  "a/b",
  "a%2Fb",
  "..",
  "../a",
  "a\0b",
  "A",
  " ",
  "{a}",
  "*",
  "session/x",
  "ünï",
  "日本",
  "👩‍🚀",
  "\uffff",
];

/** The methods of `store`, to be laid others over. */
export function bound(store: Store): Store {
  return {
    commit: (tenant, commit) => store.commit(tenant, commit),
    get: (tenant, keys) => store.get(tenant, keys),
    scan: (tenant, query) => store.scan(tenant, query),
    log: (tenant, query) => store.log(tenant, query),
    watch: (tenant, onAppended) => store.watch(tenant, onAppended),
    tenants: () => store.tenants(),
    expired: (limit) => store.expired(limit),
    expiresInMs: () => store.expiresInMs(),
    trim: (tenant, through) => store.trim(tenant, through),
    close: () => store.close(),
  };
}
