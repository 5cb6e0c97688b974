// The composition root of the executable: a config in, an exit code out. Joins the supervisor with processes, modules, the HTTP
// server, signals and standard output of this process.
import type { Config, ModuleConfig, ProcessConfig, ServiceConfig } from "../config/config.ts";
import { didYouMean } from "../config/did-you-mean.ts";
import { select } from "../core/graph.ts";
import type { ServiceSpec } from "../core/spec.ts";
import { systemClock } from "../drivers/clock.ts";
import { loadEntrypoint } from "../drivers/entrypoint.ts";
import { onStopSignal } from "../drivers/signals.ts";
import { onUncaught } from "../drivers/uncaught.ts";
import { ExitCode, messageOf, StartupError, UsageError } from "../errors.ts";
import { createApp } from "../http/app.ts";
import { createGate } from "../http/gate.ts";
import type { Server } from "../http/server.ts";
import { narrate } from "../runtime/narrate.ts";
import type { SupervisedService } from "../runtime/effects.ts";
import { Supervisor } from "../runtime/supervisor.ts";
import { type ModuleContext, moduleService } from "./module-service.ts";
import { openLog } from "./open-log.ts";
import { openServer } from "./open-server.ts";
import { probesOf, processService } from "./process-service.ts";
import { provideLibrary } from "./provide-library.ts";
import { specOf } from "./read-config.ts";
import { version } from "./version.ts";

export interface RunOptions {
  /** Start these and what they need; empty: all that no profile holds back. */
  names: readonly string[];
  profiles: readonly string[];
  /** What the services inherit. */
  env: Readonly<Record<string, string | undefined>>;
  /** JSON lines whatever the config says. */
  json: boolean;
}

/**
 * Resolves with the exit code when the runtime has ended. Throws `UsageError` for a name that is no service, `StartupError` for
 * a taken port, and when a service has brought the runtime down.
 */
export async function runConfig(config: Config, { names, profiles, env, json }: RunOptions): Promise<number> {
  const specs = chosen(config, { names, profiles });
  const { runtime, http } = config;
  const { log, flush, terminal } = openLog({
    name: runtime.name,
    format: json ? "json" : runtime.log.format,
    level: runtime.log.level,
    services: specs.map(({ name }) => name),
  });
  const clock = systemClock();
  let server: Server | undefined;
  const gate = createGate({ clock, close: async () => server?.close() });
  const supervisor = new Supervisor({
    clock,
    emit: (event) => narrate(event, log),
    startup: runtime.startup,
    shutdown: runtime.shutdown,
    kubernetes: env.KUBERNETES_SERVICE_HOST !== undefined,
    attended: terminal,
    ...(runtime.exitCodeFrom !== undefined && { exitCodeFrom: runtime.exitCodeFrom }),
    gate,
  });
  // Before anything is opened: as PID 1 a signal that nobody handles is lost.
  onStopSignal((signal) => supervisor.onSignal(signal));
  onUncaught((error) => {
    log.error(`nobody caught: ${messageOf(error)}`, {
      stack: error instanceof Error ? error.stack : undefined,
    });
    void supervisor.shutdown({ reason: "stopping after an uncaught error", exitCode: ExitCode.internal });
  });
  const app = createApp({ service: runtime.name, version, health: supervisor, gate, log });
  if (http) {
    server = await openServer(http, app.fetch);
    log.info(`listening on http://${http.host}:${server.port}`);
  }
  const modules: ModuleContext = { supervisor, clock, log, instances: new Map(), mount: app.mount };
  if (config.services.some(isModule)) await provideLibrary();
  const byName = new Map(config.services.map((service) => [service.name, service]));
  const supervised = specs.map((spec): SupervisedService => {
    const service = byName.get(spec.name);
    if (service && isProcess(service)) return processService(service, spec, { output: log, env });
    if (service && isModule(service)) return moduleFromDisk(service, spec, modules);
    throw new Error(`internal: no config for '${spec.name}'`);
  });
  // What it may reject with is the reason of the end.
  await Promise.allSettled([supervisor.run(supervised)]);
  const { exitCode, reason, service } = await supervisor.ended.promise;
  await flush();
  if (service === undefined && exitCode !== ExitCode.internal) return exitCode;
  throw new StartupError(reason, { exitCode });
}

function isProcess(service: ServiceConfig): service is ServiceConfig & { run: ProcessConfig } {
  return service.run.type === "process";
}

function isModule(service: ServiceConfig): service is ServiceConfig & { run: ModuleConfig } {
  return service.run.type === "module";
}

function moduleFromDisk(
  service: ServiceConfig & { run: ModuleConfig },
  spec: ServiceSpec,
  context: ModuleContext,
): SupervisedService {
  const { readers: _, ...probes } = probesOf(service);
  return { ...moduleService(spec, () => loadEntrypoint(service.name, service.run), context), ...probes };
}

/** The services to run, with all they need. */
function chosen(config: Config, { names, profiles }: Pick<RunOptions, "names" | "profiles">): ServiceSpec[] {
  const all = config.services.map(({ name }) => name);
  for (const name of names) {
    if (all.includes(name)) continue;
    throw new UsageError(`cannot run '${name}': no such service${didYouMean(name, all)}`);
  }
  const isAskedFor = (service: ServiceConfig) =>
    service.profiles.some((profile) => profiles.includes(profile));
  const wanted = config.services.filter(
    (service) =>
      isAskedFor(service) ||
      (names.length > 0 ? names.includes(service.name) : service.profiles.length === 0),
  );
  if (wanted.length === 0)
    throw new UsageError("nothing to run: every service has a profile; name one with --profile");
  return select(
    config.services.map(specOf),
    wanted.map(({ name }) => name),
  );
}
