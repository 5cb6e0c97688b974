// The routes of a run from a config, and who is told of them: the endpoint that Traefik polls, and the publisher that writes into
// Redis. What of it a run does not need it does not load.
import type { Config } from "../config/config.ts";
import { budgetMs } from "../core/budget.ts";
import { drainMs, drainRule } from "../core/drain.ts";
import { inWords } from "../core/restart.ts";
import type { Snapshot } from "../core/snapshot.ts";
import { Routing } from "../discovery/routing.ts";
import type { RoutePublisher } from "../discovery/route-publisher.ts";
import type { Fetch } from "../http/server.ts";
import type { Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { Routes } from "../ports/routing.ts";
import type { RuntimeEvent } from "../ports/runtime-event.ts";
import type { Supervisor } from "../runtime/supervisor.ts";
import type { Present } from "./present.ts";
import { namespaceOf } from "./read-config.ts";

export interface RoutingParts {
  clock: Clock;
  log: Log;
  httpPort: () => number | undefined;
}

export interface RunningRoutes {
  /** What answers at `/traefik`; absent: nobody does. */
  endpoint: Fetch | undefined;
  /** By what Traefik is told, as long as there is something to tell. */
  publisher(): "http" | "redis" | undefined;
  routesOf(service: string, signal: AbortSignal): Routes;
  observe(event: RuntimeEvent): void;
  /** From now on routes are published. */
  attend(supervisor: Pick<Supervisor, "snapshot" | "addShutdownTask">, options: AttendOptions): Promise<void>;
}

interface AttendOptions {
  /** Whose routes it is, through all reloads. */
  present: Present;
  /** At its end it drains for those who are told of routes: nobody sits at a terminal. */
  waits: boolean;
  env: Readonly<Record<string, string | undefined>>;
}

export function openRouting(config: Config, parts: RoutingParts): RunningRoutes {
  const { clock, log, httpPort } = parts;
  const { http, discovery } = config;
  const traefik = discovery?.traefik;
  const publisher = `instance_${crypto.randomUUID().replaceAll("-", "")}`;
  const namespace = namespaceOf(config);
  let services = () => config.services;
  let snapshot = (): Pick<Snapshot, "ready" | "components"> => ({ ready: false, components: {} });
  const routing = new Routing({
    namespace,
    publisher,
    services: () => services(),
    snapshot: () => snapshot(),
    address: addressOf(config),
    httpPort,
  });
  let toRedis: RoutePublisher | undefined;
  const endpoint = traefik && http ? endpointOf(traefik.token, routing) : undefined;
  const told = traefik && (traefik.redis ? "redis" : "http");
  return {
    endpoint,
    publisher: () => (routing.routes().length === 0 ? undefined : told),
    routesOf: (service, signal) => routing.slice(service, signal),
    observe(event) {
      if (event.type === "runtime-state-changed" && LEAVING.has(event.to)) void toRedis?.leave();
      else toRedis?.look();
    },
    async attend(supervisor, { present, waits, env }) {
      services = () => present.reading.running.config.services;
      snapshot = () => supervisor.snapshot();
      const problem =
        waits && told ? drainProblem(config.runtime.shutdown, { publisher: told, env }) : undefined;
      if (problem !== undefined) log.warn(problem);
      if (!traefik?.redis || !discovery) return;
      const { RoutePublisher } = await import("../discovery/route-publisher.ts");
      const { traefikRedis } = await import("../drivers/traefik-redis.ts");
      const { ttlMs, heartbeatMs } = discovery.registry;
      const own = new RoutePublisher({
        keys: traefikRedis({ ...traefik.redis, namespace }),
        clock,
        ttlMs,
        heartbeatMs,
        published: () => ({ publisher, namespace, routes: routing.routes(), servers: routing.servers() }),
        onTrouble: (reason) =>
          reason === undefined ? log.info("routes are published again") : log.warn(reason),
      });
      toRedis = own;
      routing.onChanged(() => own.look());
      supervisor.addShutdownTask(() => own.close());
      own.start();
    },
  };
}

/** A drain that is cut short is one in which requests are lost; better said before than after. */
function drainProblem(
  shutdown: Config["runtime"]["shutdown"],
  { publisher, env }: Pick<AttendOptions, "env"> & { publisher: "http" | "redis" | undefined },
): string | undefined {
  const kubernetes = env["KUBERNETES_SERVICE_HOST"] !== undefined;
  const rule = drainRule(shutdown.drainMs, { kubernetes, attended: false, publisher });
  const budget = budgetMs(shutdown.budgetMs, { kubernetes });
  if (rule.until !== "time" || drainMs(rule, budget) >= rule.waitMs) return undefined;
  const [has, wants] = [drainMs(rule, budget), rule.waitMs].map(inWords);
  return `a stop will drain for ${has} instead of ${wants}, and may lose requests: it takes at most half of runtime.shutdown.budget, which is ${inWords(budget)}; set that to at least ${inWords(2 * rule.waitMs)}, and give the container as long`;
}

const LEAVING: ReadonlySet<string> = new Set(["draining", "stopping", "destroyed"]);

/** Loaded with the first request. */
function endpointOf(token: string | undefined, routing: Routing): Fetch {
  let opened: Promise<Fetch> | undefined;
  return async (request, native) => {
    opened ??= import("../http/traefik.ts").then(({ createTraefik }) =>
      createTraefik({ ...(token !== undefined && { token }), document: () => routing.document() }),
    );
    return (await opened)(request, native);
  };
}

/** Where others reach this machine: as the config says, the one address that it listens on, or the first that it has. */
function addressOf({ discovery, http }: Config): string {
  if (discovery?.advertise !== undefined) return discovery.advertise;
  if (http && http.host !== "0.0.0.0" && http.host !== "::") return http.host;
  if (!discovery?.traefik) return "127.0.0.1";
  const { networkInterfaces } = process.getBuiltinModule("node:os");
  const all = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  const outer = all.filter(({ internal }) => !internal);
  return (outer.find(({ family }) => family === "IPv4") ?? outer[0])?.address ?? "127.0.0.1";
}
