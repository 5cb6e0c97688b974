// The plane of a run: its store is opened before any service starts, its parts are services like any other (`store`,
// `state_surface`, `wal`, `saga_coordinator`), and what it offers is handed to HTTP and to modules. Loaded only by a run that has one.
// Needs no `node:`: which store it is, and how that is opened, is the business of who makes it.
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import type { IntentConfig, PlaneConfig } from "../config/config.ts";
import type { StateName } from "../core/service-state.ts";
import { ExitCode, messageOf, stackOf, type StoreError, UsageError } from "../errors.ts";
import type { Fetch } from "../http/server.ts";
import type { Clock } from "../ports/clock.ts";
import type { Failpoint } from "../ports/failpoint.ts";
import type { Log } from "../ports/log.ts";
import type { Executions } from "../ports/plane.ts";
import type { RegistryReader } from "../ports/registry.ts";
import type { RuntimeEvent } from "../ports/runtime-event.ts";
import type { Inside } from "../ports/service.ts";
import type { PlaneSlices } from "../ports/service-plane.ts";
import type { Ownerships, Store } from "../ports/store.ts";
import { Engine } from "../plane/engine.ts";
import { TenantExecutions } from "../plane/executions.ts";
import { IntentRegistry } from "../plane/intents.ts";
import { createPlane, type OwnPlane } from "../plane/plane.ts";
import { Saga } from "../plane/saga-builder.ts";
import type { SupervisedService } from "../runtime/effects.ts";
import type { Supervisor } from "../runtime/supervisor.ts";
import { ExecutionStart } from "./execution-start.ts";
import { partOf } from "./part.ts";
import { refuseParts } from "./plane-options.ts";
import { type StoreHooks, StoreWatch } from "./store-watch.ts";

export interface PlaneParts {
  config: PlaneConfig;
  intents: readonly IntentConfig[];
  /** The names of the services beside it. */
  services: readonly string[];
  /** How long services may keep executions waiting. */
  startupTimeoutMs: number;
  clock: Clock;
  log: Log;
  failpoint: Failpoint;
  /** For the calls of sagas. Default: the platform's own, which knows no `svc://`. */
  fetch?: (url: string, init: RequestInit) => Promise<Response>;
  /** Rejects with `StoreError` for one that cannot be had. */
  openStore: (hooks: StoreHooks) => Promise<Store & Ownerships>;
}

export interface AnswersOptions {
  name: string;
  version: string;
  ending: AbortSignal;
  /** Whoever asks is an operator of every tenant, as on the socket. */
  trusting: boolean;
  registry: RegistryReader;
}

export interface PlaneAnswers {
  api: Fetch;
  docs: Fetch;
}

/** A service, as the plane knows it. */
export interface PlaneUser {
  service: string;
  /** Whom it acts for. Default: `default`. */
  tenant: string | undefined;
  /** How its code is called. */
  inside: Inside;
}

/** Of a service, for its tenant. Default: `default`. */
type Credentials = (service: string, tenant: string | undefined) => Record<string, string>;

export interface RunningPlane {
  plane: OwnPlane;
  /** Its store, where several runtimes share it; an embedded one is this process's alone. */
  shared?: Store;
  /** Its parts, to be started before everything else. */
  services: readonly SupervisedService[];
  /** What a service finds of it as `this.runtime`. */
  slicesOf(user: PlaneUser): PlaneSlices;
  /** What answers for it, and what tells about that. */
  answers(options: AnswersOptions): PlaneAnswers;
  /** The variables with which a process reaches it, a token of its own among them; anew at every call. */
  credentials(options: { url: string | undefined }): Credentials;
  /** No further step begins. Resolves when those under way have come to their end, or `signal` aborts. */
  stopSteps(signal: AbortSignal): Promise<unknown>;
  /** Resolves when no step is under way. */
  whenStill(): Promise<void>;
  /**
   * To be told of everything that happens. Once all services are up executions move; once the startup is over a store that is lost ends
   * the runtime; what a service has reached the plane with is nobody's when it has ended.
   */
  observe(event: RuntimeEvent, supervisor: Supervisor): void;
  /** Lets the store go, where its part has not been started or has not stopped. */
  close(): Promise<void>;
}

/** States in which no process of a service runs. */
const ENDED: ReadonlySet<string> = new Set([
  "backoff",
  "completed",
  "failed",
  "stopped",
] satisfies StateName[]);

/** Throws `StoreError` for a store that cannot be had, and `UsageError` for a service that has the name of a part. */
export async function openPlane(parts: PlaneParts): Promise<RunningPlane> {
  const { config, intents, services, clock, log, failpoint } = parts;
  refuseParts(services);
  const watch = new StoreWatch(log);
  const store = await parts.openStore(watch.hooks);
  const limits = {
    bodyBytesMax: config.limits.bodyBytes,
    keyBytesMax: config.limits.keyBytes,
    pageMax: config.limits.pageItems,
  };
  const registry = new IntentRegistry({
    sha256: (text) => bytesToHex(sha256(utf8ToBytes(text))),
    fetch: parts.fetch ?? ((url, init) => fetch(url, init)),
    bodyBytesMax: limits.bodyBytesMax,
  });
  for (const intent of intents) registry.registerHttp(intent);
  const engine = new Engine({
    store,
    intents: registry,
    clock,
    failpoint,
    keepMs: config.retentionMs,
    onError: (message, error) => log.error(message, { stack: stackOf(error) }),
  });
  watch.onLost((error) => engine.lost(error));
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
  const serviceTokens = new Map<string, { token: string; tenant: string }>();
  return {
    plane,
    ...(config.store.driver === "redis" && { shared: store }),
    services: partsOf({ store, plane, engine, watch }),
    slicesOf: ({ tenant = DEFAULT_TENANT, inside }) => slicesOf(tenant, { plane, registry, inside }),
    stopSteps: (signal) => engine.stop({ signal }),
    whenStill: () => engine.whenStill(),
    answers: answering({ plane, config, limits, clock, log, serviceTokens }),
    credentials:
      ({ url }) =>
      (service, tenant = DEFAULT_TENANT) => {
        if (url === undefined) return {};
        const token = `haraka_${crypto.randomUUID()}${crypto.randomUUID()}`.replaceAll("-", "");
        serviceTokens.set(service, { token, tenant });
        return { HARAKA_URL: url, HARAKA_TOKEN: token };
      },
    observe(event, supervisor) {
      if (event.type === "service-state-changed" && ENDED.has(event.to)) serviceTokens.delete(event.service);
      if (event.type === "runtime-state-changed" && event.to === "started") watch.onLost(endOf(supervisor));
      start.observe(event, () => supervisor.fleet);
    },
    close: () => store.close(),
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

interface Parts {
  store: Store;
  plane: OwnPlane;
  engine: Engine;
  watch: StoreWatch;
}

function partsOf({ store, plane, engine, watch }: Parts): SupervisedService[] {
  const { probe } = watch;
  const surface = { startup: () => plane.start(), shutdown: () => plane.stop() };
  const coordinator = {
    startup: () => engine.recover(),
    shutdown: async (signal: AbortSignal) => void (await engine.stop({ signal })),
  };
  return [
    partOf("store", { shutdown: () => store.close() }, { probe, patient: true }),
    partOf("state_surface", surface, { needs: ["store"], probe }),
    partOf("wal", { startup() {} }, { needs: ["store"], probe }),
    partOf("saga_coordinator", coordinator, { needs: ["state_surface", "wal"], probe }),
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

/** What answers is loaded with the first request. */
function later(open: () => Promise<{ fetch: Fetch }>): Fetch {
  let opened: Promise<{ fetch: Fetch }> | undefined;
  return async (request, native) => (await (opened ??= open())).fetch(request, native);
}

const DEFAULT_TENANT = "default";

function slicesOf(
  tenant: string,
  { plane, registry, inside }: { plane: OwnPlane; registry: IntentRegistry; inside: Inside },
): PlaneSlices {
  const { sessions, state, wal } = plane.tenant(tenant);
  return {
    sessions,
    state,
    wal,
    intents: {
      submit: (intent) => plane.tenant(tenant).executions.submit(intent),
      register: (type, options, handler) => registry.register(type, { ...options, inside }, handler),
    },
    sagas: {
      register(made) {
        if (!(made instanceof Saga)) throw new UsageError("cannot register this saga: make it with saga(…)");
        registry.registerSaga(made, { inside });
      },
    },
  };
}
