// The plane of a run: its store is opened before any service starts, its parts are services like any other (`store`,
// `state_surface`, `wal`, `saga_coordinator`), and what it offers is handed to HTTP and to modules. Loaded only by a run that has one.
import type { IntentConfig, PlaneConfig, RedisStoreConfig } from "../config/config.ts";
import { PLAIN_SPEC, type ServiceSpec } from "../core/spec.ts";
import { moduleLauncher } from "../drivers/module-launcher.ts";
import { failpointOf } from "../drivers/failpoint.ts";
import { ExitCode, messageOf, type StoreError, UsageError } from "../errors.ts";
import type { Fetch } from "../http/server.ts";
import type { Clock } from "../ports/clock.ts";
import type { Gate } from "../ports/gate.ts";
import type { Log } from "../ports/log.ts";
import type { Executions } from "../ports/plane.ts";
import type { Probe } from "../ports/probe.ts";
import type { RuntimeEvent } from "../ports/runtime-event.ts";
import type { ServiceLike } from "../ports/service.ts";
import type { PlaneSlices } from "../ports/service-plane.ts";
import type { Store } from "../ports/store.ts";
import { Engine } from "../plane/engine.ts";
import { TenantExecutions } from "../plane/executions.ts";
import { IntentRegistry } from "../plane/intents.ts";
import { createPlane, type OwnPlane } from "../plane/plane.ts";
import { Saga } from "../plane/saga-builder.ts";
import type { SupervisedService } from "../runtime/effects.ts";
import type { Supervisor } from "../runtime/supervisor.ts";
import { ExecutionStart } from "./execution-start.ts";
import { openStore } from "./open-store.ts";

export interface PlaneParts {
  config: PlaneConfig;
  intents: readonly IntentConfig[];
  /** Of the services that say one. */
  tenants: ReadonlyMap<string, string>;
  /** How long services may keep executions waiting. */
  startupTimeoutMs: number;
  clock: Clock;
  log: Log;
  cwd: string;
  env: Readonly<Record<string, string | undefined>>;
}

export interface PlaneAnswers {
  api: Fetch;
  docs: Fetch;
}

export interface RunningPlane {
  plane: OwnPlane;
  /** Its parts, to be started before everything else. */
  services: readonly SupervisedService[];
  /** What a service finds of it as `this.runtime`. */
  slicesOf(service: string): PlaneSlices;
  /** What answers for it, and what tells about that. `trusting`: whoever asks is an operator of every tenant, as on the socket. */
  answers(options: { name: string; version: string; ending: AbortSignal; trusting: boolean }): PlaneAnswers;
  /** The variables with which a process reaches it, a token of its own among them; anew at every call. */
  credentials(options: { url: string | undefined }): (service: string) => Record<string, string>;
  /** The gate, behind which executions count as in flight. */
  gated(gate: Gate): Gate;
  /** Once all services are up executions move; once the startup is over a store that is lost ends the runtime. */
  observe(event: RuntimeEvent, supervisor: Supervisor): void;
}

/** The names of its parts, which no other service may have. */
export const PARTS: readonly string[] = ["store", "state_surface", "wal", "saga_coordinator"];

/** Before everything without a number of its own; nobody can ask for more. */
const FIRST = Number.MAX_SAFE_INTEGER;
/** A lost store is to be seen at once. */
const CHECKED = { intervalMs: 1_000, timeoutMs: 1_000, failureThreshold: 1, successThreshold: 1 };

/** Throws `StoreError` for a store that cannot be had. */
export async function openPlane(parts: PlaneParts): Promise<RunningPlane> {
  const { config, intents, tenants, clock, log, cwd, env } = parts;
  const failpoint = failpointOf(env["HARAKA_FAILPOINT"]);
  const watch = new LostWatch();
  const store = await openStore(config.store.driver === "redis" ? config.store : urlOf(config.store), {
    clock,
    cwd,
    failpoint,
    onLost: (error) => watch.tell(error),
    onTrouble(problem) {
      watch.trouble(problem);
      if (problem) log.warn(problem.message);
      else log.info("the store can be reached again");
    },
    onWarning: (message) => log.warn(message),
  });
  const limits = {
    bodyBytesMax: config.limits.bodyBytes,
    keyBytesMax: config.limits.keyBytes,
    pageMax: config.limits.pageItems,
  };
  const registry = new IntentRegistry({
    sha256,
    fetch: (url, init) => fetch(url, init),
    bodyBytesMax: limits.bodyBytesMax,
  });
  for (const intent of intents) registry.registerHttp(intent);
  const engine = new Engine({
    store,
    intents: registry,
    clock,
    failpoint,
    keepMs: config.retentionMs,
    onError: (message, error) => log.error(message, stackOf(error)),
  });
  const executions = new Map<string, Executions>();
  const executionsOf = (tenant: string): Executions => {
    const { sessions } = plane.tenant(tenant);
    const known = executions.get(tenant) ?? new TenantExecutions({ tenant, engine, sessions, limits });
    executions.set(tenant, known);
    return known;
  };
  const plane = createPlane({
    store,
    clock,
    limits,
    sessions: config.sessions,
    retentionMs: config.retentionMs,
    executionsOf,
    onSweepFailed: (error) =>
      log.warn(`cannot remove what has expired or is older than \`plane.retention\`: ${messageOf(error)}`),
  });
  const start = startOf(engine, parts);
  const tenantOf = (service: string) => tenants.get(service) ?? DEFAULT_TENANT;
  const serviceTokens = new Map<string, { token: string; tenant: string }>();
  return {
    plane,
    services: partsOf({ store, plane, engine, watch }),
    slicesOf: (service) => slicesOf(tenantOf(service), { plane, registry }),
    gated: (gate) => gatedBy(gate, engine),
    answers: answering({ plane, config, limits, clock, log, serviceTokens }),
    credentials:
      ({ url }) =>
      (service) => {
        if (url === undefined) return {};
        const token = `haraka_${crypto.randomUUID()}${crypto.randomUUID()}`.replaceAll("-", "");
        serviceTokens.set(service, { token, tenant: tenantOf(service) });
        return { HARAKA_URL: url, HARAKA_TOKEN: token };
      },
    observe(event, supervisor) {
      if (event.type === "runtime-state-changed" && event.to === "started") watch.onLost(endOf(supervisor));
      start.observe(event, () => supervisor.fleet);
    },
  };
}

function startOf(engine: Engine, { clock, log, startupTimeoutMs }: PlaneParts): ExecutionStart {
  return new ExecutionStart({
    clock,
    timeoutMs: startupTimeoutMs,
    begin(missing) {
      const names = missing.map((name) => `'${name}'`).join(", ");
      if (names !== "") log.warn(`executions run from now on without ${names}: not ready yet`);
      engine.run();
    },
  });
}

const endOf =
  (supervisor: Supervisor) =>
  ({ message }: StoreError): void =>
    void supervisor.shutdown({ reason: `stopping: ${message}`, exitCode: ExitCode.store });

/** Whether the store is still there, and who wants to know when it is not. */
class LostWatch {
  #error: StoreError | undefined;
  #trouble: StoreError | undefined;
  #listener = (_error: StoreError): void => {};

  /** It cannot be reached just now; `undefined`: it can again. */
  trouble(problem: StoreError | undefined): void {
    this.#trouble = problem;
  }

  tell(error: StoreError): void {
    this.#error = error;
    this.#listener(error);
  }

  onLost(listener: (error: StoreError) => void): void {
    this.#listener = listener;
    if (this.#error) listener(this.#error);
  }

  readonly probe: Probe = {
    check: async () => {
      const problem = this.#error ?? this.#trouble;
      return problem ? { ok: false, reason: problem.message } : { ok: true };
    },
  };
}

interface Parts {
  store: Store;
  plane: OwnPlane;
  engine: Engine;
  watch: LostWatch;
}

function partsOf({ store, plane, engine, watch }: Parts): SupervisedService[] {
  const part = (name: string, needs: readonly string[], service: ServiceLike): SupervisedService => ({
    spec: specOf(name, needs),
    launcher: moduleLauncher({ load: () => service, task: false, onInstance() {} }),
    readiness: { probe: watch.probe, schedule: CHECKED },
  });
  return [
    part("store", [], { shutdown: () => store.close() }),
    part("state_surface", ["store"], { startup: () => plane.start(), shutdown: () => plane.stop() }),
    part("wal", ["store"], { startup() {} }),
    part("saga_coordinator", ["state_surface", "wal"], {
      startup: () => engine.recover(),
      shutdown: async (signal) => void (await engine.stop({ signal })),
    }),
  ];
}

interface Answering {
  plane: OwnPlane;
  config: PlaneConfig;
  limits: { bodyBytesMax: number; keyBytesMax: number; pageMax: number };
  clock: Clock;
  log: Log;
  serviceTokens: ReadonlyMap<string, { token: string; tenant: string }>;
}

function answering({ plane, config, serviceTokens, ...shared }: Answering): RunningPlane["answers"] {
  const { limits } = shared;
  const options = {
    ...shared,
    plane: () => plane,
    serviceTokens: { [Symbol.iterator]: () => serviceTokens.values() },
    ...(config.auth && { auth: config.auth }),
  };
  return ({ name, version, ...own }) => ({
    api: later(async () => (await import("../http/plane-api.ts")).createPlaneApi({ ...options, ...own })),
    docs: later(async () => {
      const { createDocs } = await import("../http/docs.ts");
      return { fetch: createDocs({ name, version, limits, hasAuth: config.auth !== undefined }) };
    }),
  });
}

function stackOf(error: unknown): { stack: string | undefined } {
  return { stack: error instanceof Error ? error.stack : undefined };
}

/** What answers is loaded with the first request. */
function later(open: () => Promise<{ fetch: Fetch }>): Fetch {
  let opened: Promise<{ fetch: Fetch }> | undefined;
  return async (request, native) => (await (opened ??= open())).fetch(request, native);
}

const DEFAULT_TENANT = "default";

function urlOf(store: Exclude<PlaneConfig["store"], RedisStoreConfig>): string {
  return store.driver === "memory" ? "memory:" : `sqlite:${store.path}`;
}

function specOf(name: string, needs: readonly string[]): ServiceSpec {
  const dependencies = needs.map((service) => ({
    service,
    condition: "ready" as const,
    required: true,
    restart: false,
  }));
  return {
    ...PLAIN_SPEC,
    name,
    group: name,
    inProcess: true,
    priority: FIRST,
    dependencies,
    readiness: "probe",
  };
}

function sha256(text: string): string {
  return process.getBuiltinModule("node:crypto").createHash("sha256").update(text).digest("hex");
}

function slicesOf(
  tenant: string,
  { plane, registry }: { plane: OwnPlane; registry: IntentRegistry },
): PlaneSlices {
  const { sessions, state, wal } = plane.tenant(tenant);
  return {
    sessions,
    state,
    wal,
    intents: {
      submit: (intent) => plane.tenant(tenant).executions.submit(intent),
      register: (type, options, handler) => registry.register(type, options, handler),
    },
    sagas: {
      register(made) {
        if (!(made instanceof Saga)) throw new UsageError("cannot register this saga: make it with saga(…)");
        registry.registerSaga(made);
      },
    },
  };
}

/** With the requests the steps that are under way are finished, and no further one begins. */
function gatedBy(gate: Gate, engine: Engine): Gate {
  const cut = new AbortController();
  let stopping: Promise<unknown> = Promise.resolve();
  let isStopped = true;
  return {
    drain: () => gate.drain(),
    refuse() {
      gate.refuse();
      isStopped = false;
      stopping = engine.stop({ signal: cut.signal }).finally(() => (isStopped = true));
    },
    probers: () => gate.probers(),
    onAsked: (listener) => gate.onAsked(listener),
    inFlight: () => gate.inFlight(),
    async whenEmpty(signal) {
      signal.addEventListener("abort", () => cut.abort(), { once: true });
      await gate.whenEmpty(signal);
      await stopping;
    },
    inside: () => [...gate.inside(), ...(isStopped ? [] : ["steps of executions"])],
    close: () => gate.close(),
  };
}
