// The plane of a run: its store is opened before any service starts, its parts are services like any other (`store`,
// `state_surface`, `wal`, `saga_coordinator`), and what it offers is handed to HTTP and to modules. Loaded only by a run that has one.
import type { IntentConfig, PlaneConfig } from "../config/config.ts";
import { failpointOf } from "../drivers/failpoint.ts";
import { ExitCode, messageOf, type StoreError, UsageError } from "../errors.ts";
import type { Fetch } from "../http/server.ts";
import type { Clock } from "../ports/clock.ts";
import type { Gate } from "../ports/gate.ts";
import type { Log } from "../ports/log.ts";
import type { Executions } from "../ports/plane.ts";
import type { RegistryReader } from "../ports/registry.ts";
import type { Probe } from "../ports/probe.ts";
import type { PlaneSlices } from "../ports/service-plane.ts";
import type { Store } from "../ports/store.ts";
import { Engine } from "../plane/engine.ts";
import { TenantExecutions } from "../plane/executions.ts";
import { IntentRegistry } from "../plane/intents.ts";
import { createPlane, type OwnPlane } from "../plane/plane.ts";
import { Saga } from "../plane/saga-builder.ts";
import type { SupervisedService } from "../runtime/effects.ts";
import type { Supervisor } from "../runtime/supervisor.ts";
import { openStore } from "./open-store.ts";
import { partOf } from "./part.ts";

export interface PlaneParts {
  config: PlaneConfig;
  intents: readonly IntentConfig[];
  /** Of the services that say one. */
  tenants: ReadonlyMap<string, string>;
  clock: Clock;
  log: Log;
  cwd: string;
  env: Readonly<Record<string, string | undefined>>;
  /** For the calls of sagas; also of `svc://…`. */
  fetch: (url: string, init: RequestInit) => Promise<Response>;
}

export interface AnswersOptions {
  name: string;
  version: string;
  ending: AbortSignal;
  trusting: boolean;
  registry: RegistryReader;
}

export interface PlaneAnswers {
  api: Fetch;
  docs: Fetch;
}

export interface RunningPlane {
  plane: OwnPlane;
  /** Its store, where several runtimes share it; an embedded one is this process's alone. */
  shared?: Store;
  /** Its parts, to be started before everything else. */
  services: readonly SupervisedService[];
  /** What a service finds of it as `this.runtime`. */
  slicesOf(service: string): PlaneSlices;
  /** What answers for it, and what tells about that. `trusting`: whoever asks is an operator of every tenant, as on the socket. */
  answers(options: AnswersOptions): PlaneAnswers;
  /** The variables with which a process reaches it, a token of its own among them; anew at every call. */
  credentials(options: { url: string | undefined }): (service: string) => Record<string, string>;
  /** The gate, behind which executions count as in flight. */
  gated(gate: Gate): Gate;
  /** From now on executions move, and a store that is lost ends the runtime. */
  attend(supervisor: Supervisor): void;
}

/** Throws `StoreError` for a store that cannot be had. */
export async function openPlane(parts: PlaneParts): Promise<RunningPlane> {
  const { config, intents, tenants, clock, log, cwd, env, fetch } = parts;
  const failpoint = failpointOf(env["HARAKA_FAILPOINT"]);
  const watch = new LostWatch();
  const store = await openStore(urlOf(config.store), {
    clock,
    cwd,
    failpoint,
    onLost: (error) => watch.tell(error),
  });
  const limits = {
    bodyBytesMax: config.limits.bodyBytes,
    keyBytesMax: config.limits.keyBytes,
    pageMax: config.limits.pageItems,
  };
  const registry = new IntentRegistry({
    sha256,
    fetch,
    bodyBytesMax: limits.bodyBytesMax,
  });
  for (const intent of intents) registry.registerHttp(intent);
  const engine = new Engine({
    store,
    intents: registry,
    clock,
    failpoint,
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
    executionsOf,
    onSweepFailed: (error) => log.warn(`cannot remove what has expired: ${messageOf(error)}`),
  });
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
    attend(supervisor) {
      watch.onLost(
        ({ message }) =>
          void supervisor.shutdown({ reason: `stopping: ${message}`, exitCode: ExitCode.store }),
      );
      engine.run();
    },
  };
}

/** Whether the store is still there, and who wants to know when it is not. */
class LostWatch {
  #error: StoreError | undefined;
  #listener = (_error: StoreError): void => {};

  tell(error: StoreError): void {
    this.#error = error;
    this.#listener(error);
  }

  onLost(listener: (error: StoreError) => void): void {
    this.#listener = listener;
    if (this.#error) listener(this.#error);
  }

  readonly probe: Probe = {
    check: async () => (this.#error ? { ok: false, reason: this.#error.message } : { ok: true }),
  };
}

interface Parts {
  store: Store;
  plane: OwnPlane;
  engine: Engine;
  watch: LostWatch;
}

function partsOf({ store, plane, engine, watch }: Parts): SupervisedService[] {
  const { probe } = watch;
  const surface = { startup: () => plane.start(), shutdown: () => plane.stop() };
  const coordinator = {
    startup: () => engine.recover(),
    shutdown: async (signal: AbortSignal) => void (await engine.stop({ signal })),
  };
  return [
    partOf("store", { shutdown: () => store.close() }, { probe }),
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

function stackOf(error: unknown): { stack: string | undefined } {
  return { stack: error instanceof Error ? error.stack : undefined };
}

/** What answers is loaded with the first request. */
function later(open: () => Promise<{ fetch: Fetch }>): Fetch {
  let opened: Promise<{ fetch: Fetch }> | undefined;
  return async (request, native) => (await (opened ??= open())).fetch(request, native);
}

const DEFAULT_TENANT = "default";

function urlOf(store: PlaneConfig["store"]): string {
  return store.driver === "memory" ? "memory:" : `sqlite:${store.path}`;
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
