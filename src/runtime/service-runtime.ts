// What a module service finds as `this.runtime`: a narrow view of the supervisor, made for one service and one launch of it.
import type { ServiceSpec } from "../core/spec.ts";
import { UsageError } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";
import type { Log, LogFields } from "../ports/log.ts";
import type { DiscoverySlices } from "../ports/registry.ts";
import type { Routes } from "../ports/routing.ts";
import type { Runtime } from "../ports/service.ts";
import type { PlaneSlices } from "../ports/service-plane.ts";
import type { BackgroundTask } from "./background.ts";

export interface ServiceRuntimeOptions {
  spec: ServiceSpec;
  /** Instances of the module services that exist by now, by name. */
  instances: ReadonlyMap<string, object>;
  markReady: (service: string) => void;
  addBackgroundTask: (task: BackgroundTask) => void;
  log: Log;
  clock: Clock;
  /** Aborts when the service should stop. */
  signal: AbortSignal;
  /** The plane as the service's tenant sees it; absent: there is none. */
  plane?: PlaneSlices | undefined;
  /** Absent: there is no registry. */
  discovery?: DiscoverySlices | undefined;
  /** As this launch of the service sees them; called when it asks for them. */
  routes: () => Routes;
}

/** A class, so that a thousand services do not make a thousand sets of functions. */
export class ServiceRuntime implements Runtime {
  readonly #options: ServiceRuntimeOptions;
  #log: Log | undefined;
  #routes: Routes | undefined;

  constructor(options: ServiceRuntimeOptions) {
    this.#options = options;
  }

  markReady(name = this.#options.spec.name): void {
    const { spec, signal } = this.#options;
    // What an old instance still says of itself is not true of the one after it.
    if (name !== spec.name || !signal.aborted) this.#options.markReady(name);
  }

  get<T extends object>(peer: abstract new (...args: never[]) => T): T;
  get(peer: string): unknown;
  get(peer: string | (abstract new (...args: never[]) => unknown)): unknown {
    const { spec, instances } = this.#options;
    const declared = spec.dependencies.map(({ service }) => service);
    const isIt = (name: string) =>
      typeof peer === "string" ? name === peer : instances.get(name) instanceof peer;
    const name = declared.find(isIt);
    const instance = name === undefined ? undefined : instances.get(name);
    if (instance !== undefined) return instance;
    const wanted = typeof peer === "string" ? peer : peer.name;
    const list = declared.length === 0 ? "none" : declared.join(", ");
    throw new UsageError(
      `cannot get '${wanted}' in '${spec.name}': not among its declared dependencies that are modules (declared: ${list})`,
    );
  }

  get log(): Log {
    return (this.#log ??= logFor(this.#options.spec.name, this.#options.log));
  }

  get clock(): Clock {
    return this.#options.clock;
  }

  get signal(): AbortSignal {
    return this.#options.signal;
  }

  addBackgroundTask(task: BackgroundTask): void {
    this.#options.addBackgroundTask(task);
  }

  get sessions(): PlaneSlices["sessions"] {
    return this.#plane("sessions").sessions;
  }

  get state(): PlaneSlices["state"] {
    return this.#plane("state").state;
  }

  get wal(): PlaneSlices["wal"] {
    return this.#plane("wal").wal;
  }

  get intents(): PlaneSlices["intents"] {
    return this.#plane("intents").intents;
  }

  get sagas(): PlaneSlices["sagas"] {
    return this.#plane("sagas").sagas;
  }

  get registry(): DiscoverySlices["registry"] {
    return this.#discovery("registry").registry;
  }

  async fetch(url: string | URL, init?: RequestInit): Promise<Response> {
    return this.#discovery("fetch").fetch(url, init);
  }

  get routes(): Routes {
    return (this.#routes ??= this.#options.routes());
  }

  #discovery(slice: keyof DiscoverySlices): DiscoverySlices {
    const { discovery } = this.#options;
    if (discovery) return discovery;
    throw new UsageError(`cannot use ${slice}: no registry; add plane: {}, or discovery: {} in a config`);
  }

  #plane(slice: keyof PlaneSlices): PlaneSlices {
    const { plane } = this.#options;
    if (plane) return plane;
    throw new UsageError(`cannot use ${slice}: no plane; add plane: {}`);
  }
}

/** The same log, with the service's name in every record. */
function logFor(service: string, log: Log): Log {
  const named = (fields?: LogFields) => ({ service, ...fields });
  return {
    debug: (message, fields) => log.debug(message, named(fields)),
    info: (message, fields) => log.info(message, named(fields)),
    warn: (message, fields) => log.warn(message, named(fields)),
    error: (message, fields) => log.error(message, named(fields)),
  };
}
