// The library's composition root: `Orchestrator` joins the supervisor with this process's clock, signals and standard output,
// and `lifecycle` puts it in front of one's own Hono app. It opens no port.
import process from "node:process";
import type { MiddlewareHandler } from "hono";
import type { DiscoveryConfig, PlaneConfig } from "../config/config.ts";
import { stateFolderOf } from "../config/state-folder.ts";
import type { RuntimeState } from "../core/snapshot.ts";
import { PLAIN_SPEC, type ServiceSpec } from "../core/spec.ts";
import { systemClock } from "../drivers/clock.ts";
import { onStopSignal } from "../drivers/signals.ts";
import { messageOf, UsageError } from "../errors.ts";
import { createGate, type HttpGate } from "../http/gate.ts";
import { lifecycleMiddleware } from "../http/lifecycle.ts";
import type { Clock } from "../ports/clock.ts";
import type { HealthSource } from "../ports/health-source.ts";
import type { Log } from "../ports/log.ts";
import type { RuntimeEvent } from "../ports/runtime-event.ts";
import type { ServiceLike } from "../ports/service.ts";
import type { BackgroundTask, ShutdownTask } from "../runtime/background.ts";
import { narrate } from "../runtime/narrate.ts";
import type { SupervisedService } from "../runtime/effects.ts";
import type { ShutdownReport } from "../runtime/shutdown.ts";
import { Supervisor } from "../runtime/supervisor.ts";
import { version } from "./version.ts";
import { discoveryConfigOf, type DiscoveryOptions } from "./discovery-options.ts";
import { moduleService } from "./module-service.ts";
import { routesInCode } from "./routes-in-code.ts";
import type { Facilities } from "./facilities.ts";
import { type OpenLog, openLog } from "./open-log.ts";
import {
  ANYTHING,
  BOOLEAN,
  checkOptions,
  nameToUse,
  OBJECT,
  oneOf,
  type Rules,
  TEXT,
} from "./option-rules.ts";
import { flushMs } from "./outgoing.ts";
import { PLANE_RULES, planeConfigOf, type PlaneOptions, refuseParts } from "./plane-options.ts";
import type { StoreOption } from "./store-option.ts";
import { checkUse, type UsedDependency, type UsedRestart, type UseOptions } from "./use-options.ts";

export interface OrchestratorOptions {
  /** Time; a `testClock()` in tests. Default: the system's. */
  clock?: Clock;
  /** Where records go. Default: standard output, pretty on a terminal and JSON lines otherwise. */
  log?: Log;
  /** `"manual"`: no service is ready before it calls `markReady`. Default: ready once started, unless the service says manual. */
  readiness?: "manual";
  /** Whether the process exits after a shutdown that a signal began, and ends with the code of any other. Default: true. */
  exit?: boolean;
  /** What health answers as `service`. Default: `"haraka-runtime"`. */
  name?: string;
  /**
   * Where the plane keeps what must survive: `"sqlite:PATH"`, relative to the working directory, `"redis://HOST:PORT/0?namespace=NAME"`,
   * which several share, `"memory"`, or as in a config. Default, with a `plane`: `haraka.db` in the state folder.
   */
  store?: StoreOption;
  /** Sessions, state, intents and sagas, as services find them in `this.runtime`. Default: none, unless there is a `store`. */
  plane?: PlaneOptions;
  /** How others find services, and this machine. A plane has it in any case; alone it is a registry of this process. */
  discovery?: DiscoveryOptions;
}

/** An app, as Hono's, and where its documentation is. */
export interface DocsProvider {
  fetch?: unknown;
  /** A path on the app's port. A plain Hono app has none. */
  docsUrl?: string;
}

/** @internal for `testRuntime` */
export interface OrchestratorInternals {
  /** When a batch of the plane's is written. Default: when timers and sockets have had their turn. */
  nextTurn?: (run: () => void) => void;
}

interface Registration {
  service: ServiceLike;
  name: string;
  options: UseOptions;
}

export class Orchestrator {
  readonly #supervisor: Supervisor;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #flush: OpenLog["flush"];
  readonly #options: OrchestratorOptions;
  readonly #listeners = new Set<(event: RuntimeEvent) => void>();
  readonly #registrations = new Map<string, Registration>();
  readonly #instances = new Map<ServiceLike, string>();
  readonly #gate: HttpGate;
  /** What there is to be beside the services. */
  readonly #asked: { plane?: PlaneConfig; discovery?: DiscoveryConfig };
  readonly #internals: OrchestratorInternals;
  #facilities: Facilities | undefined;
  #runCalled = false;

  /** Throws `UsageError` for an option that is not known, or cannot be. */
  constructor(options: OrchestratorOptions = {}, internals: OrchestratorInternals = {}) {
    const cannot = "cannot make an Orchestrator";
    checkOptions(options, { cannot, rules: OPTIONS });
    const cwd = process.cwd();
    const stateFolder = stateFolderOf(process.env, { cwd });
    const plane = planeConfigOf(options, { ...options, cannot, overHttp: false, cwd, stateFolder });
    const { discovery = plane && {} } = options;
    this.#asked = {
      ...(plane && { plane }),
      ...(discovery && { discovery: discoveryConfigOf(discovery, { cannot }) }),
    };
    this.#internals = internals;
    const own = options.log
      ? { log: options.log, flush: async () => true, terminal: process.stdout.isTTY }
      : openLog({ name: nameOf(options) });
    this.#options = options;
    this.#log = own.log;
    this.#flush = own.flush;
    this.#clock = options.clock ?? systemClock();
    this.#gate = createGate({ clock: this.#clock });
    this.#supervisor = new Supervisor({
      clock: this.#clock,
      emit: (event) => this.#publish(event),
      startup: { timeoutMs: STARTUP_TIMEOUT_MS, concurrency: Infinity, onFailure: "rollback" },
      shutdown: { budgetMs: "auto", drainMs: "auto" },
      kubernetes: process.env.KUBERNETES_SERVICE_HOST !== undefined,
      attended: own.terminal,
      gate: this.#gate,
      companions: () => this.#facilities?.companions ?? [],
    });
  }

  /** `uninitialized`, `starting`, `started`, `draining`, `stopping` or `destroyed`. */
  get state(): RuntimeState {
    return this.#supervisor.state;
  }

  /** What the health endpoints answer from. */
  get health(): HealthSource {
    return this.#supervisor;
  }

  /**
   * Registers a service. Throws `UsageError` for a second one of the same name, a name that a config would refuse, the same
   * instance again, an option that is not known or cannot be, or after `run`.
   */
  use(service: ServiceLike, options: UseOptions = {}): this {
    const name = nameToUse(service, { names: this.#registrations, instances: this.#instances });
    if (this.#runCalled || this.state !== "uninitialized") {
      const state = this.state === "uninitialized" ? "starting" : this.state;
      throw new UsageError(`cannot use '${name}': the runtime is ${state}`);
    }
    checkUse(name, options);
    if (this.#asked.plane) refuseParts([name]);
    this.#instances.set(service, name);
    this.#registrations.set(name, { service, name, options });
    return this;
  }

  /**
   * Starts all services in order and handles SIGINT and SIGTERM from then on. Resolves when they have started. Rejects with
   * `UsageError` for an impossible graph or a second call, with `StoreError` for a store that cannot be had, with `StartupError` when
   * a service does not come up and everything that had started has stopped again. With a `port` and an app that has a `docsUrl`,
   * prints where the documentation is.
   */
  async run(settings: { port?: number } = {}, app: DocsProvider = {}): Promise<void> {
    if (this.#runCalled && this.state === "uninitialized")
      throw new UsageError("cannot run: the runtime is starting");
    this.#runCalled = true;
    const stopListening = this.#listen();
    try {
      this.#facilities = await this.#openFacilities(settings);
      await this.#supervisor.run([...(this.#facilities?.parts ?? []), ...this.#services()]);
      // Nobody may have asked for the end: then the process lives as long as its maker likes, and ends for this reason.
      if (this.#options.exit !== false)
        void this.#supervisor.ended.then(({ exitCode }) => void (process.exitCode ||= exitCode));
    } catch (error) {
      stopListening();
      await this.#facilities?.close();
      throw error;
    }
    if (settings.port !== undefined && app.docsUrl !== undefined) this.#printDocs(settings.port, app.docsUrl);
  }

  /** Resolves when every service is ready; may be called before `run`. Rejects with `TimeoutError` naming those that are not. */
  waitForAllReady({ timeoutMs = 30_000 }: { timeoutMs?: number } = {}): Promise<void> {
    return this.#supervisor.waitForAllReady({ timeoutMs });
  }

  /** Marks a manual service as ready. A second call does nothing. Throws `UsageError` for a name nobody has. */
  markReady(name: string): void {
    if (this.#registrations.has(name) && this.state === "uninitialized") {
      throw new UsageError(`cannot mark '${name}' ready: call it after run, or in startup()`);
    }
    this.#supervisor.markReady(name);
  }

  /** Runs beside the services, from the end of startup until `signal` aborts; shutdown waits for it within its budget. */
  addBackgroundTask(task: BackgroundTask): void {
    this.#supervisor.addBackgroundTask(task);
  }

  /** Runs in the last stage of the shutdown, after the services have stopped. */
  addShutdownTask(task: ShutdownTask): void {
    this.#supervisor.addShutdownTask(task);
  }

  /** Stops everything in reverse order. Never rejects; a second call gives the first one's promise. Fine before `run`. */
  shutdown(): Promise<ShutdownReport> {
    return this.#supervisor.shutdown();
  }

  /** Calls `listener` with everything that happens from now on; returns a function that ends it. */
  on(listener: (event: RuntimeEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** @internal what `lifecycle` needs */
  middleware(): MiddlewareHandler {
    return lifecycleMiddleware({
      health: this.#supervisor,
      gate: this.#gate,
      service: nameOf(this.#options),
      version,
    });
  }

  /** Loaded only where there is to be something. */
  async #openFacilities({ port }: { port?: number }): Promise<Facilities | undefined> {
    if (!this.#asked.discovery || this.state !== "uninitialized") return undefined;
    const { inCode, openFacilities } = await import("./facilities.ts");
    const services = [...this.#registrations.keys()].map((name) => ({ name }));
    const own = { clock: this.#clock, log: this.#log, env: process.env, httpPort: () => port };
    const asked = inCode({ ...this.#asked, services, startupTimeoutMs: STARTUP_TIMEOUT_MS });
    return openFacilities(asked, { ...own, ...this.#internals });
  }

  #services(): SupervisedService[] {
    const { tracked, ofModules } = this.#facilities ?? {};
    const shared = {
      supervisor: this.#supervisor,
      clock: this.#clock,
      log: this.#log,
      instances: new Map(),
      routesOf: routesInCode(this.#supervisor),
      ...ofModules?.(),
    };
    return [...this.#registrations.values()].map((registration) => {
      const { name, service, options } = registration;
      const context = { ...shared, tenant: options.tenant };
      const made = moduleService(this.#specOf(registration), () => service, context);
      return tracked?.({ task: false, ...options, name, group: name }, made) ?? made;
    });
  }

  #specOf({ service, name, options }: Registration): ServiceSpec {
    return {
      ...PLAIN_SPEC,
      name,
      group: name,
      inProcess: true,
      dependencies: (options.dependencies ?? []).map((each) => this.#dependencyOf(each)),
      readiness: service.readiness ?? this.#options.readiness ?? PLAIN_SPEC.readiness,
      task: options.task ?? PLAIN_SPEC.task,
      priority: options.priority ?? PLAIN_SPEC.priority,
      critical: options.critical ?? PLAIN_SPEC.critical,
      restart: restartOf(options.restart),
      startTimeoutMs: options.startTimeoutMs ?? PLAIN_SPEC.startTimeoutMs,
      stopTimeoutMs: options.stopTimeoutMs ?? PLAIN_SPEC.stopTimeoutMs,
    };
  }

  #dependencyOf(named: UsedDependency): ServiceSpec["dependencies"][number] {
    const entry = typeof named === "string" ? { service: named } : named;
    const { service, condition, required = true, restart = false } = entry;
    const isTask = this.#registrations.get(service)?.options.task ?? false;
    return { service, condition: condition ?? (isTask ? "completed" : "ready"), required, restart };
  }

  /** From now on signals stop the runtime; when it has ended nothing keeps the process alive. */
  #listen(): () => void {
    let signalled = false;
    const stopListening = onStopSignal((signal) => {
      signalled = true;
      this.#supervisor.onSignal(signal);
    });
    void this.#supervisor.ended.then(async (report) => {
      stopListening();
      if (!signalled || this.#options.exit === false) return;
      await this.#flush({ withinMs: flushMs(report, this.#supervisor.ledger()) });
      process.exit(report.exitCode);
    });
    return stopListening;
  }

  #publish(event: RuntimeEvent): void {
    narrate(event, this.#log);
    this.#facilities?.observe(event, this.#supervisor);
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        this.#log.error(`a listener failed on ${event.type}: ${messageOf(error)}`);
      }
    }
  }

  #printDocs(port: number, docsUrl: string): void {
    for (const host of ["localhost", "127.0.0.1"]) this.#log.info(`docs at http://${host}:${port}${docsUrl}`);
  }
}

const STARTUP_TIMEOUT_MS = 60_000;

const OPTIONS: Rules<OrchestratorOptions> = {
  clock: ANYTHING,
  log: ANYTHING,
  readiness: oneOf("manual"),
  exit: BOOLEAN,
  name: TEXT,
  ...PLANE_RULES,
  discovery: OBJECT,
};

function nameOf({ name = "haraka-runtime" }: OrchestratorOptions): string {
  return name;
}

/**
 * Middleware for one's own Hono app, before any route: answers the health paths, counts what is in flight, and refuses with
 * 503 while the runtime stops.
 */
export function lifecycle(orchestrator: Orchestrator): MiddlewareHandler {
  return orchestrator.middleware();
}

function restartOf({ policy, backoff, limit, resetAfterMs }: UsedRestart = {}): ServiceSpec["restart"] {
  const plain = PLAIN_SPEC.restart;
  return {
    policy: policy ?? plain.policy,
    backoff: {
      minMs: backoff?.minMs ?? plain.backoff.minMs,
      maxMs: backoff?.maxMs ?? plain.backoff.maxMs,
    },
    limit: {
      count: limit?.count ?? plain.limit.count,
      windowMs: limit?.windowMs ?? plain.limit.windowMs,
    },
    resetAfterMs: resetAfterMs ?? plain.resetAfterMs,
  };
}
