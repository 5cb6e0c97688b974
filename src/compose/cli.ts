// The composition root of the executable: a config in, an exit code out. Joins the supervisor with processes, modules, the HTTP
// server, signals and standard output of this process.
import process from "node:process";
import type { Config, HttpConfig } from "../config/config.ts";
import { systemClock } from "../drivers/clock.ts";
import { onStopSignal } from "../drivers/signals.ts";
import { onUncaught } from "../drivers/uncaught.ts";
import { ExitCode, messageOf, StartupError } from "../errors.ts";
import { createApp } from "../http/app.ts";
import { createGate } from "../http/gate.ts";
import type { Server } from "../http/server.ts";
import type { Log } from "../ports/log.ts";
import { narrate } from "../runtime/narrate.ts";
import { Operator } from "../runtime/operator.ts";
import { Supervisor } from "../runtime/supervisor.ts";
import type { DevHooks } from "./dev-hooks.ts";
import { adoptEnvironment } from "./environment.ts";
import type { ModuleContext } from "./module-service.ts";
import { openLog } from "./open-log.ts";
import { openServer } from "./open-server.ts";
import { Present } from "./present.ts";
import type { ReadConfig } from "./read-config.ts";
import { serviceFiles } from "./service-files.ts";
import { chosenSpecs, createServices } from "./services.ts";
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
 * Resolves with the exit code when the runtime has ended. Throws `UsageError` for a name that is no service, `StartupError` for
 * a taken port, and when a service has brought the runtime down.
 */
export async function runConfig(config: Config, options: RunOptions): Promise<number> {
  const { names, profiles, env, json, dev } = options;
  const specs = chosenSpecs(config, { names, profiles });
  const { runtime, http } = config;
  const { log, flush } = openLog({
    name: runtime.name,
    format: json ? "json" : runtime.log.format,
    level: runtime.log.level,
    services: specs.map(({ name }) => name),
  });
  const clock = systemClock();
  const loadedMs = clock.wallTime();
  let server: Server | undefined;
  const gate = createGate({ close: async () => server?.close() });
  const supervisor = new Supervisor({
    clock,
    emit: (event) => {
      (dev?.narrate ?? narrate)(event, log);
      operator.observe(event);
    },
    startup: runtime.startup,
    shutdown: runtime.shutdown,
    kubernetes: env.KUBERNETES_SERVICE_HOST !== undefined,
    ...(runtime.exitCodeFrom !== undefined && { exitCodeFrom: runtime.exitCodeFrom }),
    gate,
    endures: dev !== undefined,
  });
  const operator = new Operator({
    supervisor,
    name: runtime.name,
    version,
    pid: process.pid,
    limits: () => ({}),
    read: () => present.read(),
    reloadsEarly: dev !== undefined,
  });
  // Before anything is opened: as PID 1 a signal that nobody handles is lost.
  onStopSignal((signal) => supervisor.onSignal(signal));
  onUncaught((error) => {
    sayUncaught(error, log);
    if (!dev)
      void supervisor.shutdown({ reason: "stopping after an uncaught error", exitCode: ExitCode.internal });
  });
  const app = createApp({ service: runtime.name, version, health: supervisor, gate, log });
  if (http) {
    server = await openServer(http, app.fetch, { orNext: dev !== undefined });
    log.info(listeningOn(server, http));
  }
  const modules: ModuleContext = { supervisor, clock, log, instances: new Map(), mount: app.mount };
  const files = serviceFiles({ globs: dev !== undefined });
  const context = { names, profiles, env, output: log, modules, files };
  adoptEnvironment(env, process.env);
  const running = await createServices(config, specs, context);
  const present = new Present(running, { context, readAgain: options.readAgain, loadedMs, dev });
  const leave = await dev?.attend({ supervisor, operator, present, files, clock, log });
  // What it may reject with is the reason of the end.
  await Promise.allSettled([supervisor.run(running.services)]);
  const cancel =
    modules.instances.size === 0 ? undefined : clock.after(LEARN_AFTER_MS, () => void present.learn());
  const { exitCode, reason, service } = await supervisor.ended;
  cancel?.();
  leave?.();
  await flush();
  if (service === undefined && exitCode !== ExitCode.internal) return exitCode;
  throw new StartupError(reason, { exitCode });
}

function listeningOn({ port }: Server, wanted: HttpConfig): string {
  const isOther = wanted.port !== 0 && port !== wanted.port;
  return `listening on http://${wanted.host}:${port}${isOther ? ` (${wanted.port} is in use)` : ""}`;
}

function sayUncaught(error: unknown, log: Log): void {
  const stack = error instanceof Error ? error.stack : undefined;
  log.error(`nobody caught: ${messageOf(error)}`, { stack });
}
