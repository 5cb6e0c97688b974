// The plane of one process over one store: what belongs to a tenant, seen through that tenant, and whose session a token opens.
// It keeps nothing of its own; all of it is in the store.
import type { Clock } from "../ports/clock.ts";
import type { Executions, Plane, TenantPlane } from "../ports/plane.ts";
import type { Store } from "../ports/store.ts";
import { nameProblem, type PlaneLimits, refuse } from "./limits.ts";
import { LogHubs } from "./log-hub.ts";
import { Retention } from "./retention.ts";
import { sessionOf } from "./session-of.ts";
import { type SessionTimes, sessionsOf } from "./sessions.ts";
import { stateSurfaceOf } from "./state-surface.ts";
import { Sweeper } from "./sweeper.ts";
import { walOf } from "./wal.ts";
import { Writer } from "./writer.ts";

export interface PlaneOptions {
  store: Store;
  clock: Clock;
  limits: PlaneLimits;
  /** What a session has at most, and unless it asks for less. */
  sessions: SessionTimes;
  /** How long the log is kept; `Infinity`: for ever. */
  retentionMs: number;
  /** What runs the intents of a tenant. */
  executionsOf: (tenant: string) => Executions;
  /** Told when what has expired, or is older than the retention, could not be removed; it is tried again. */
  onSweepFailed?: (error: unknown) => void;
}

export interface OwnPlane extends Plane {
  /** Begins to remove what has expired, or is older than the retention. */
  start(): void;
  /** Resolves when nothing of its own is under way; the store stays open. */
  stop(): Promise<void>;
}

export function createPlane(options: PlaneOptions): OwnPlane {
  const {
    store,
    clock,
    limits,
    sessions: times,
    retentionMs,
    executionsOf,
    onSweepFailed = () => {},
  } = options;
  const sweeper = new Sweeper({ store, clock, onFailed: onSweepFailed });
  const retention = new Retention({
    store,
    clock,
    keepMs: retentionMs,
    // Whoever runs intents tells nobody when what has ended expires.
    onLooked: () => sweeper.expectIn(0),
    onFailed: onSweepFailed,
  });
  const writer = new Writer(store, (delayMs) => sweeper.expectIn(delayMs));
  const hubs = new LogHubs(store);
  // Its tenant grows by a third in base64; the rest has its length.
  const tokenLengthMax = 2 * limits.keyBytesMax + 128;
  return {
    tenant(name): TenantPlane {
      refuse("use the tenant", [nameProblem("tenant", name, limits)]);
      const shared = { tenant: name, limits };
      return {
        sessions: sessionsOf({ ...shared, writer, times }),
        state: stateSurfaceOf({ ...shared, writer, hubs }),
        wal: walOf({ ...shared, store, hubs }),
        get executions() {
          return executionsOf(name);
        },
      };
    },
    sessionOf: (token) => sessionOf(token, { writer, tokenLengthMax }),
    start() {
      sweeper.start();
      retention.start();
    },
    stop: async () => void (await Promise.all([sweeper.stop(), retention.stop()])),
  };
}
