// The seed's contract in TypeScript: what an in-process service looks like to the runtime, and the runtime to it.
import type { Hono } from "hono";
import type { Clock } from "./clock.ts";
import type { Log } from "./log.ts";
import type { Routes } from "./routing.ts";
import type { DiscoverySlices } from "./registry.ts";
import type { PlaneSlices } from "./service-plane.ts";

/**
 * What the runtime offers a service, as `this.runtime`. The parts of the plane throw `UsageError` where there is none; `registry`
 * and `fetch` where there is neither a plane nor discovery.
 */
export interface Runtime extends PlaneSlices, DiscoverySlices {
  /** Marks a service with `readiness: "manual"` as ready. Repeated calls do nothing. Throws `UsageError` for an unknown name. */
  markReady(name?: string): void;
  /** What leads to services from outside. What publishes it is `discovery.traefik` of a config. */
  readonly routes: Routes;
  /** The instance of a service this one depends on. Throws `UsageError` for anything else. */
  get<T extends object>(peer: abstract new (...args: never[]) => T): T;
  get(peer: string): unknown;
  readonly log: Log;
  readonly clock: Clock;
  /** Aborts when this service should stop what it is doing. */
  readonly signal: AbortSignal;
  /** Runs beside the services from the end of startup; `signal` aborts at shutdown, which then waits for it within its budget. */
  addBackgroundTask(task: (signal: AbortSignal) => Promise<void> | void): void;
}

/** `Service<undefined>` takes no settings; otherwise they are the constructor's one argument. */
type ConstructorArgs<Settings> = undefined extends Settings ? [settings?: Settings] : [settings: Settings];

/**
 * A unit with a lifecycle that lives in this process. Override what you need: nothing is required but a name, and in a
 * config file the key is the name.
 */
export class Service<Settings = undefined> {
  name = "";
  /** `"manual"`: ready when it calls `markReady`; otherwise once `startup` has resolved (or its readiness probe passes). */
  readonly readiness?: "manual";
  readonly settings: Settings;
  /** Set by the runtime before `startup`. */
  runtime!: Runtime;

  constructor(...args: ConstructorArgs<Settings>) {
    this.settings = args[0] as Settings;
  }

  /** Resolves when the service can be used. `signal` aborts when it takes too long or startup is cancelled. */
  startup(_signal: AbortSignal): Promise<void> | void {}
  /** Resolves when everything is let go. `signal` aborts at the deadline. */
  shutdown(_signal: AbortSignal): Promise<void> | void {}
  /** Mounts HTTP routes at `/`; they answer once the service has started, and 503 before. */
  routes?(app: Hono): void;
  /**
   * Asked again and again, one call at a time. Passes when it resolves; fails when it throws or rejects, gives `false`, or
   * `{ ok: false, reason }`.
   */
  health?(): unknown;
}

/** Calls `work` as the code of one service: what it says on the console is that service's. */
export type Inside = <T>(work: () => T) => T;

/** What the runtime drives: a `Service`, or any object with the parts of one. */
export interface ServiceLike {
  name?: string;
  readonly readiness?: "manual";
  runtime?: Runtime;
  startup?(signal: AbortSignal): Promise<void> | void;
  shutdown?(signal: AbortSignal): Promise<void> | void;
  routes?(app: Hono): void;
  health?(): unknown;
}
