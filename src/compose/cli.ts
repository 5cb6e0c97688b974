// The composition root of the executable: a config in, an exit code out. Joins the supervisor with processes, modules, the HTTP
// server, control, signals and standard output of this process.
import process from "node:process";
import type { Config, HttpConfig } from "../config/config.ts";
import { dialable } from "../config/dialable.ts";
import type { ServiceSpec } from "../core/spec.ts";
import { openCgroup } from "../drivers/cgroup.ts";
import { systemClock } from "../drivers/clock.ts";
import { logRing } from "../drivers/log-ring.ts";
import { createApp } from "../http/app.ts";
import { createGate, type HttpGate } from "../http/gate.ts";
import type { Server } from "../http/server.ts";
import type { Clock } from "../ports/clock.ts";
import type { Limits } from "../ports/control.ts";
import type { Companion } from "../ports/companion.ts";
import type { Gate } from "../ports/gate.ts";
import type { HealthSource } from "../ports/health-source.ts";
import type { Log } from "../ports/log.ts";
import type { RuntimeEvent } from "../ports/runtime-event.ts";
import { withMemory } from "../runtime/memory-health.ts";
import { narrate } from "../runtime/narrate.ts";
import { Operator } from "../runtime/operator.ts";
import { Supervisor } from "../runtime/supervisor.ts";
import type { DevHooks } from "./dev-hooks.ts";
import { adoptEnvironment } from "./environment.ts";
import { manager } from "./manager.ts";
import { controlOverTcp, openControl } from "./open-control.ts";
import { endOfRun, type RunEnd } from "./end-of-run.ts";
import { openFacilities } from "./facilities.ts";
import { moduleOutput } from "./module-output.ts";
import { openLog } from "./open-log.ts";
import { openServer } from "./open-server.ts";
import { adoption } from "./orphans.ts";
import { Present } from "./present.ts";
import type { ReadConfig } from "./read-config.ts";
import { type RoutedFacilities, withRoutes } from "./routing.ts";
import { serviceFiles } from "./service-files.ts";
import { chosenSpecs, createServices } from "./services.ts";
import { attendSignals } from "./signals.ts";
import { version } from "./version.ts";

export interface RunOptions {
  /** Start these and what they need; empty: all that no profile holds back. */
  names: readonly string[];
  profiles: readonly string[];
  /** What the services inherit. */
  env: Readonly<Record<string, string | undefined>>;
  /** JSON lines whatever the config says. */
  json: boolean;
  /** Reads the config again, for a reload. Throws what `readConfig` throws. */
  readAgain: () => Pick<ReadConfig, "config" | "env">;
  /** What makes it a developer's run. */
  dev?: DevHooks;
}

/** What services are made of is looked at once they have started, so that a start does not wait for it. */
const LEARN_AFTER_MS = 1_000;

/**
 * Resolves when the runtime has ended, however that came about. Throws `UsageError` for a name that is no service, and
 * `StartupError` for a port, a socket or a log file that cannot be had.
 */
export async function runConfig(config: Config, options: RunOptions): Promise<RunEnd> {
  const { names, profiles, env, dev } = options;
  const specs = chosenSpecs(config, { names, profiles });
  const { log, output, logs, spoken, flush, terminal, ...atEnd } = openLogs(config, specs, options);
  const clock = systemClock();
  const loadedMs = clock.wallTime();
  const doors: { server?: Server | undefined } = {};
  const gate = createGate({ clock, close: async () => doors.server?.close() });
  const given = { clock, log, env, httpPort: () => doors.server?.port };
  const facilities = withRoutes(config, await openFacilities(config, given), given);
  const { supervisor, operator } = supervision(config, {
    ...options,
    log,
    clock,
    gate,
    companions: facilities.companions,
    publisher: facilities.publisher,
    attended: terminal || dev !== undefined,
    async read() {
      const next = await present.read();
      return { ...next, services: [...facilities.parts, ...next.services] };
    },
    onEvent: (event) => facilities.observe(event, supervisor),
  });
  const health = withMemory({ health: supervisor, limits: containerLimits, clock });
  // Before anything is opened: as PID 1 a signal that nobody handles is lost.
  const signals = attendSignals({ supervisor, operator, log, ...atEnd, endures: dev !== undefined });
  const parts = {
    service: config.runtime.name,
    version,
    status: operator,
    operate: operator,
    logs,
    health,
    log,
    clock,
  };
  const app = openApp(config, { ...parts, gate, facilities });
  doors.server = await openPort(config.http, { fetch: app.fetch, log, orNext: dev !== undefined });
  // Before the services: of two runtimes on one socket the second must not start any. And right after the port: Bun collects
  // garbage when it begins to listen, for both at once then.
  const socket = await openSocket(config, { ...parts, answers: facilities.answers });
  const instances = new Map<string, object>();
  const modules = { supervisor, clock, log, instances, ...facilities.ofModules(app.mount), output: spoken };
  const orphans = adoption({ clock, log, env });
  const files = serviceFiles({ globs: dev !== undefined });
  const credentials = facilities.credentials?.({ url: urlOf(config, doors.server) });
  const processes = { log, output, ...(credentials && { credentials }) };
  const { tracked } = facilities;
  const { descendants } = orphans;
  const context = { names, profiles, env, modules, files, processes, descendants, tracked };
  adoptEnvironment(env, process.env);
  const running = await createServices(config, specs, context);
  const present = new Present(running, { context, readAgain: options.readAgain, loadedMs, dev });
  signals.forward(() => present.reading.running.config);
  await facilities.publish(supervisor, { present, waits: !terminal && !dev });
  const leave = await dev?.attend({ supervisor, operator, present, files, clock, log });
  // What it may reject with is the reason of the end.
  await Promise.allSettled([supervisor.run([...facilities.parts, ...running.services])]);
  // As PID 1 we are given orphans in any case; a start without processes need not wait for that.
  if (process.pid === 1) await descendants();
  const learning = learnLater(present, { instances, clock });
  const report = await supervisor.ended;
  learning?.();
  leave?.();
  await orphans.end();
  await socket.close();
  return endOfRun(report, { flush, ledger: supervisor.ledger(), signals });
}

/** Gives a function that calls it off. */
function learnLater(
  present: Present,
  { instances, clock }: { instances: ReadonlyMap<string, object>; clock: Clock },
): (() => void) | undefined {
  return instances.size === 0 ? undefined : clock.after(LEARN_AFTER_MS, () => void present.learn());
}

/** Everything that is said goes to standard output, what modules say too, and its last part is kept for `haraka logs`. */
function openLogs({ runtime }: Config, specs: readonly ServiceSpec[], { json }: Pick<RunOptions, "json">) {
  const { flush, lastWords, terminal, hasHungUp, ...printed } = openLog({
    name: runtime.name,
    ...runtime.log,
    ...(json && { format: "json" as const }),
    services: specs.map(({ name }) => name),
  });
  const logs = logRing({ bytesMax: runtime.log.ringBytes, wallTime: Date.now });
  const { log, output } = logs.keeping(printed);
  const spoken = moduleOutput({ output, name: runtime.name });
  return {
    log,
    output,
    logs,
    spoken,
    terminal,
    hasHungUp,
    flush(options: Parameters<typeof flush>[0]) {
      spoken.end();
      return flush(options);
    },
    lastWords() {
      spoken.end();
      lastWords();
    },
  };
}

/** Where processes of this machine reach it; absent where no port is open. */
function urlOf({ http }: Config, server: Server | undefined): string | undefined {
  return http && server ? `http://${dialable(http.host)}:${server.port}` : undefined;
}

interface SupervisionOptions extends Pick<RunOptions, "env" | "dev"> {
  log: Log;
  clock: Clock;
  gate: Gate;
  companions: readonly Companion[];
  attended: boolean;
  /** What else wants to know. */
  onEvent: (event: RuntimeEvent) => void;
  publisher: RoutedFacilities["publisher"];
  read: ConstructorParameters<typeof Operator>[0]["read"] & {};
}

function supervision({ runtime }: Config, options: SupervisionOptions) {
  const { env, dev, log, clock, gate, companions, attended, read, onEvent, publisher } = options;
  const supervisor = new Supervisor({
    clock,
    emit: (event) => {
      (dev?.narrate ?? narrate)(event, log);
      operator.observe(event);
      tellManager?.(event);
      onEvent(event);
    },
    startup: runtime.startup,
    shutdown: runtime.shutdown,
    kubernetes: env.KUBERNETES_SERVICE_HOST !== undefined,
    attended,
    publisher,
    ...(runtime.exitCodeFrom !== undefined && { exitCodeFrom: runtime.exitCodeFrom }),
    gate,
    companions: () => companions,
    endures: dev !== undefined,
  });
  const operator = new Operator({
    supervisor,
    name: runtime.name,
    version,
    pid: process.pid,
    limits: containerLimits,
    read,
    reloadsEarly: dev !== undefined,
  });
  const tellManager = manager({ supervisor, clock });
  return { supervisor, operator };
}

interface AppParts extends Omit<Parameters<typeof controlOverTcp>[1], "log"> {
  log: Log;
  health: HealthSource;
  gate: HttpGate;
  facilities: RoutedFacilities;
}

function openApp({ http, control }: Config, { gate, facilities, ...parts }: AppParts) {
  const { token } = control;
  const overTcp = http && token !== undefined ? controlOverTcp({ token, http }, parts) : undefined;
  const options = { name: parts.service, version, ending: gate.draining, trusting: false };
  return createApp({
    ...parts,
    gate,
    control: overTcp,
    plane: facilities.answers?.(options),
    traefik: facilities.traefik,
  });
}

function openSocket(
  { control }: Config,
  { answers, ...parts }: Parameters<typeof openControl>[1] & Pick<RoutedFacilities, "answers">,
): ReturnType<typeof openControl> {
  const identity = { name: parts.service, version, trusting: true };
  return openControl(control, { ...parts, plane: answers && ((ending) => answers({ ...identity, ending })) });
}

interface PortOptions {
  fetch: Parameters<typeof openServer>[1];
  log: Log;
  /** A port that is in use is no reason not to take the next. */
  orNext: boolean;
}

async function openPort(
  http: HttpConfig | false,
  { fetch, log, orNext }: PortOptions,
): Promise<Server | undefined> {
  if (!http) return undefined;
  const server = await openServer(http, fetch, { orNext });
  const isOther = http.port !== 0 && server.port !== http.port;
  log.info(`listening on http://${http.host}:${server.port}${isOther ? ` (${http.port} is in use)` : ""}`);
  return server;
}

let readLimits: (() => Limits) | undefined;

/** What the container allows. Where to look is found when somebody asks first. */
function containerLimits(): Limits {
  return process.platform === "linux" ? (readLimits ??= openCgroup())() : {};
}
