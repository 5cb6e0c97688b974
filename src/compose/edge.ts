// The runtime at the edge: the same services, health and routes behind one fetch handler, without a process to supervise,
// signals or a port. Starts on the first request, which waits for it. Needs no `node:`.
import type { ExecutionContext } from "hono";
import { PLAIN_SPEC, type ServiceSpec } from "../core/spec.ts";
import { systemClock } from "../drivers/clock.ts";
import { consoleLog } from "../drivers/console-log.ts";
import { UsageError } from "../errors.ts";
import { createApp } from "../http/app.ts";
import { createGate } from "../http/gate.ts";
import type { Log } from "../ports/log.ts";
import type { ServiceLike } from "../ports/service.ts";
import { narrate } from "../runtime/narrate.ts";
import { Supervisor } from "../runtime/supervisor.ts";
import { moduleService } from "./module-service.ts";
import { version } from "./version.ts";

export interface EdgeOptions {
  /** What health answers as `service`. */
  name: string;
  /** Started in parallel, each ready once its `startup` has resolved. */
  services: readonly ServiceLike[];
  /** Default: the console, from `info` on. */
  log?: Log;
}

/** What edge platforms take as the default export of a module. */
export interface EdgeHandler {
  fetch(request: Request, env?: unknown, context?: ExecutionContext): Promise<Response>;
}

/**
 * Throws `UsageError` for a service without a name and for two of one name. A start that fails is logged, answered by
 * readiness with 503, and not tried again by this isolate.
 */
export function edge({
  name,
  services,
  log = consoleLog({ level: "info", name }),
}: EdgeOptions): EdgeHandler {
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
  const supervised = services.map((service) => moduleService(specOf(service), () => service, context));
  const names = supervised.map(({ spec }) => spec.name);
  const twice = names.find((each, index) => names.indexOf(each) !== index);
  if (twice !== undefined) throw new UsageError(`cannot use '${twice}': there are two services of that name`);

  let started: Promise<void> | undefined;
  return {
    async fetch(request, env, context) {
      if (started === undefined) {
        // Why it failed is in the log by then.
        started = supervisor.run(supervised).catch(() => {});
        // It belongs to all requests: it goes on when the client of this one goes.
        context?.waitUntil(started);
      }
      await started;
      return app.fetch(request, env, context);
    },
  };
}

function specOf(service: ServiceLike): ServiceSpec {
  if (!service.name)
    throw new UsageError(`cannot use a ${service.constructor.name}: it has no name; set \`name\``);
  return {
    ...PLAIN_SPEC,
    name: service.name,
    group: service.name,
    inProcess: true,
    readiness: service.readiness ?? PLAIN_SPEC.readiness,
  };
}
