// The composition root of the executable: a config in, an exit code out. Joins the supervisor with processes, modules, the HTTP
// server, signals and standard output of this process.
import process from "node:process";
import type { Config } from "../config/config.ts";
import { systemClock } from "../drivers/clock.ts";
import { onUncaught } from "../drivers/uncaught.ts";
import { ExitCode, messageOf } from "../errors.ts";
import { createApp } from "../http/app.ts";
import { createGate } from "../http/gate.ts";
import type { Server } from "../http/server.ts";
import { narrate } from "../runtime/narrate.ts";
import { Operator } from "../runtime/operator.ts";
import { Supervisor } from "../runtime/supervisor.ts";
import { endOfRun, heedStopSignals } from "./end-of-run.ts";
import type { ModuleContext } from "./module-service.ts";
import { openLog } from "./open-log.ts";
import { openServer } from "./open-server.ts";
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
 * Resolves with 0 when the runtime has ended well. Throws `UsageError` for a name that is no service, and `StartupError`, with
 * the exit code and the cause, for a taken port and any other end, also when a service has brought it about.
 */
export async function runConfig(config: Config, options: RunOptions): Promise<number> {
  const { names, profiles, env, json } = options;
  const specs = chosenSpecs(config, { names, profiles });
  const { runtime, http } = config;
  const { log, flush } = openLog({
    name: runtime.name,
    ...runtime.log,
    ...(json && { format: "json" }),
    services: specs.map(({ name }) => name),
  });
  const clock = systemClock();
  let server: Server | undefined;
  const gate = createGate({ close: async () => server?.close() });
  const supervisor = new Supervisor({
    clock,
    emit: (event) => {
      narrate(event, log);
      operator.observe(event);
    },
    startup: runtime.startup,
    shutdown: runtime.shutdown,
    kubernetes: env.KUBERNETES_SERVICE_HOST !== undefined,
    ...(runtime.exitCodeFrom !== undefined && { exitCodeFrom: runtime.exitCodeFrom }),
    gate,
  });
  const operator = new Operator({
    supervisor,
    name: runtime.name,
    version,
    pid: process.pid,
    limits: () => ({}),
    async read() {
      const next = await nextServices(running, options.readAgain(), context);
      return { ...next, applied: () => void (running = next.running) };
    },
  });
  // Before anything is opened: as PID 1 a signal that nobody handles is lost.
  const signals = heedStopSignals(supervisor);
  onUncaught((error) => {
    log.error(`nobody caught: ${messageOf(error)}`, {
      stack: error instanceof Error ? error.stack : undefined,
    });
    const reason = `stopping after an uncaught error: ${messageOf(error)}`;
    void supervisor.shutdown({ reason, exitCode: ExitCode.internal });
  });
  const app = createApp({ service: runtime.name, version, health: supervisor, gate, log });
  if (http) {
    server = await openServer(http, app.fetch);
    log.info(`listening on http://${http.host}:${server.port}`);
  }
  const modules: ModuleContext = { supervisor, clock, log, instances: new Map(), mount: app.mount };
  const context = { names, profiles, env, output: log, modules };
  let running = await createServices(config, specs, context);
  // What it may reject with is the reason of the end.
  await Promise.allSettled([supervisor.run(running.services)]);
  return endOfRun(await supervisor.ended, { flush, ledger: supervisor.ledger(), signals });
}
