// The runtime at the edge: the same services, health and routes behind one fetch handler, without a process to supervise,
// signals or a port. Starts on the first request, which waits for it. Needs no `node:`.
import type { ExecutionContext } from "hono";
import { PLAIN_SPEC, type ServiceSpec } from "../core/spec.ts";
import { systemClock } from "../drivers/clock.ts";
import { consoleLog } from "../drivers/console-log.ts";
import { createApp } from "../http/app.ts";
import { createGate } from "../http/gate.ts";
import { HEALTH_PATHS } from "../http/health.ts";
import { pathOf } from "../http/normalise.ts";
import { unavailable } from "../http/problem.ts";
import type { Log } from "../ports/log.ts";
import type { ServiceLike } from "../ports/service.ts";
import { narrate } from "../runtime/narrate.ts";
import { Supervisor } from "../runtime/supervisor.ts";
import { moduleService } from "./module-service.ts";
import { ANYTHING, checkOptions, LIST, nameToUse, type Rules, TEXT } from "./option-rules.ts";
import { version } from "./version.ts";

export interface EdgeOptions {
  /** What health answers as `service`. */
  name: string;
  /** Started in parallel, each ready once its `startup` has resolved. */
  services: readonly ServiceLike[];
  /** Default: the console, from `info` on. */
  log?: Log;
}

const OPTIONS: Rules<EdgeOptions> = { name: TEXT, services: LIST, log: ANYTHING };

/** What edge platforms take as the default export of a module. */
export interface EdgeHandler {
  fetch(request: Request, env?: unknown, context?: ExecutionContext): Promise<Response>;
}

/**
 * Throws `UsageError` for a service that has no name or one that a config would refuse, for two of one name and for an option
 * that is not known. A start that fails is logged, answered by
 * readiness with 503, and not tried again by this isolate.
 */
export function edge(options: EdgeOptions): EdgeHandler {
  checkOptions(options, { cannot: "cannot make an edge handler", rules: OPTIONS });
  const { name, services, log = consoleLog({ level: "info", name }) } = options;
  const clock = systemClock();
  const gate = createGate({ clock });
  const supervisor = new Supervisor({
    clock,
    emit: (event) => narrate(event, log),
    startup: { timeoutMs: 30_000, concurrency: Infinity, onFailure: "rollback" },
    shutdown: { budgetMs: "auto", drainMs: 0 },
    kubernetes: false,
    gate,
  });
  const app = createApp({ service: name, version, health: supervisor, gate, log });
  const context = { supervisor, clock, log, instances: new Map<string, object>(), mount: app.mount };
  const names = new Set<string>();
  const instances = new Map<ServiceLike, string>();
  const supervised = services.map((service) => {
    const own = nameToUse(service, { names, instances });
    names.add(own);
    instances.set(service, own);
    return moduleService(specOf(service, own), () => service, context);
  });

  let started: Promise<void> | undefined;
  let failed = false;
  return {
    async fetch(request, env, context) {
      if (started === undefined) {
        // Why it failed is in the log by then.
        started = supervisor.run(supervised).catch(() => void (failed = true));
        // It belongs to all requests: it goes on when the client of this one goes.
        context?.waitUntil(started);
      }
      await started;
      if (failed && !HEALTH_PATHS.has(pathOf(request)))
        return unavailable(`cannot answer ${pathOf(request)}: the runtime did not start; the log says why`);
      return app.fetch(request, env, context);
    },
  };
}

function specOf(service: ServiceLike, name: string): ServiceSpec {
  return {
    ...PLAIN_SPEC,
    name,
    group: name,
    inProcess: true,
    readiness: service.readiness ?? PLAIN_SPEC.readiness,
  };
}
