// The composition root of the executable: a config in, an exit code out. Joins the supervisor with processes, modules, the HTTP
// server, signals and standard output of this process.
import process from "node:process";
import type { Config } from "../config/config.ts";
import { openCgroup } from "../drivers/cgroup.ts";
import { systemClock } from "../drivers/clock.ts";
import { logRing } from "../drivers/log-ring.ts";
import { onStopSignal } from "../drivers/signals.ts";
import { onUncaught } from "../drivers/uncaught.ts";
import { ExitCode, messageOf, StartupError } from "../errors.ts";
import { createApp } from "../http/app.ts";
import { createGate } from "../http/gate.ts";
import type { Server } from "../http/server.ts";
import type { Limits } from "../ports/control.ts";
import { withMemory } from "../runtime/memory-health.ts";
import { narrate } from "../runtime/narrate.ts";
import { Operator } from "../runtime/operator.ts";
import { Supervisor } from "../runtime/supervisor.ts";
import type { ModuleContext } from "./module-service.ts";
import { controlOverTcp, openControl } from "./open-control.ts";
import { openLog } from "./open-log.ts";
import { openServer } from "./open-server.ts";
import { processContext } from "./process-service.ts";
import { chosenSpecs, createServices, nextServices } from "./services.ts";
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
  readAgain: () => Config;
}

/**
 * Resolves with the exit code when the runtime has ended. Throws `UsageError` for a name that is no service, `StartupError` for
 * a taken port, and when a service has brought the runtime down.
 */
export async function runConfig(config: Config, options: RunOptions): Promise<number> {
  const { names, profiles, env, json } = options;
  const specs = chosenSpecs(config, { names, profiles });
  const { runtime, http } = config;
  const {
    log: output,
    flush,
    terminal,
  } = openLog({
    name: runtime.name,
    format: json ? "json" : runtime.log.format,
    level: runtime.log.level,
    services: specs.map(({ name }) => name),
  });
  const logs = logRing({ bytesMax: runtime.log.ringBytes, wallTime: Date.now });
  const log = logs.keeping(output);
  const clock = systemClock();
  let server: Server | undefined;
  const gate = createGate({ clock, close: async () => server?.close() });
  const supervisor = new Supervisor({
    clock,
    emit: (event) => {
      narrate(event, log);
      operator.observe(event);
    },
    startup: runtime.startup,
    shutdown: runtime.shutdown,
    kubernetes: env.KUBERNETES_SERVICE_HOST !== undefined,
    attended: terminal,
    ...(runtime.exitCodeFrom !== undefined && { exitCodeFrom: runtime.exitCodeFrom }),
    gate,
  });
  const limits = containerLimits();
  const health = withMemory({ health: supervisor, limits, clock });
  const operator = new Operator({
    supervisor,
    name: runtime.name,
    version,
    pid: process.pid,
    limits,
    async read() {
      const next = await nextServices(running, options.readAgain(), context);
      return { ...next, applied: () => void (running = next.running) };
    },
  });
  // Before anything is opened: as PID 1 a signal that nobody handles is lost.
  onStopSignal((signal) => supervisor.onSignal(signal));
  onUncaught((error) => {
    log.error(`nobody caught: ${messageOf(error)}`, {
      stack: error instanceof Error ? error.stack : undefined,
    });
    void supervisor.shutdown({ reason: "stopping after an uncaught error", exitCode: ExitCode.internal });
  });
  const identity = { service: runtime.name, version };
  const parts = { ...identity, status: operator, operate: operator, logs, health, log, clock };
  const { token } = config.control;
  const control = http && token !== undefined ? controlOverTcp({ token, http }, parts) : undefined;
  const app = createApp({ ...identity, health, gate, log, ...(control && { control }) });
  if (http) {
    server = await openServer(http, app.fetch);
    log.info(`listening on http://${http.host}:${server.port}`);
  }
  const modules: ModuleContext = { supervisor, clock, log, instances: new Map(), mount: app.mount };
  const hasProcesses = config.services.some(({ run }) => run.type === "process");
  const orphans =
    hasProcesses || process.pid === 1
      ? (await import("./orphans.ts")).orphans({ clock, log, env })
      : undefined;
  if (hasProcesses) await orphans?.adopt();
  const processes = processContext({ log, env, descendants: orphans?.descendants });
  const context = { names, profiles, modules, processes };
  let running = await createServices(config, specs, context);
  // Before the services: of two runtimes on one socket the second must not start any.
  const socket = await openControl(config.control, parts);
  // What it may reject with is the reason of the end.
  await Promise.allSettled([supervisor.run(running.services)]);
  // Without processes it can wait until everything has started.
  if (!hasProcesses) await orphans?.adopt();
  const { exitCode, reason, service } = await supervisor.ended;
  await orphans?.end();
  await socket.close();
  await flush();
  if (service === undefined && exitCode !== ExitCode.internal) return exitCode;
  throw new StartupError(reason, { exitCode });
}

/** What the container allows. Where to look is found when somebody asks first. */
function containerLimits(): () => Limits {
  let read: (() => Limits) | undefined;
  return () => (process.platform === "linux" ? (read ??= openCgroup())() : {});
}
