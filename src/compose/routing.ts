// The routes of a run from a config, and who is told of them: the endpoint that Traefik polls, and the publisher that writes into
// Redis. What of it a run does not need it does not load.
import type { Config } from "../config/config.ts";
import { budgetMs } from "../core/budget.ts";
import { drainMs, drainRule } from "../core/drain.ts";
import { inWords } from "../core/restart.ts";
import type { Snapshot } from "../core/snapshot.ts";
import type { RoutePublisher } from "../discovery/route-publisher.ts";
import { Routing } from "../discovery/routing.ts";
import type { App } from "../http/app.ts";
import type { Fetch } from "../http/server.ts";
import type { Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { Supervisor } from "../runtime/supervisor.ts";
import { advertisedAddress } from "./advertised.ts";
import type { Facilities } from "./facilities.ts";
import type { ModuleContext } from "./module-service.ts";
import type { Present } from "./present.ts";
import { namespaceOf } from "./read-config.ts";

export interface RoutingParts {
  clock: Clock;
  log: Log;
  env: Readonly<Record<string, string | undefined>>;
  httpPort: () => number | undefined;
}

/** With what leads to services from outside. */
export interface RoutedFacilities extends Facilities {
  ofModules(mount?: App["mount"]): ReturnType<Facilities["ofModules"]> & Pick<ModuleContext, "routesOf">;
  /** What answers at `/traefik`; absent: nobody does. */
  traefik: Fetch | undefined;
  /** By what Traefik is told, as long as there is something to tell. */
  publisher(): "http" | "redis" | undefined;
  /** From now on routes are published. */
  publish(
    supervisor: Pick<Supervisor, "snapshot" | "addShutdownTask">,
    options: PublishOptions,
  ): Promise<void>;
}

interface PublishOptions {
  /** Whose routes it is, through all reloads. */
  present: Present;
  /** At its end it drains for those who are told of routes: nobody sits at a terminal. */
  waits: boolean;
}

export function withRoutes(config: Config, facilities: Facilities, parts: RoutingParts): RoutedFacilities {
  const { log, env, httpPort } = parts;
  const { http, discovery } = config;
  const traefik = discovery?.traefik;
  const told = traefik && (traefik.redis ? "redis" : "http");
  let services = () => config.services;
  let snapshot = (): Pick<Snapshot, "ready" | "components"> => ({ ready: false, components: {} });
  const routing = new Routing({
    namespace: namespaceOf(config),
    publisher: `instance_${crypto.randomUUID().replaceAll("-", "")}`,
    services: () => services(),
    snapshot: () => snapshot(),
    // Traefik may be on another machine.
    address: advertisedAddress({ ...discovery, http, shared: traefik !== undefined, env }),
    httpPort,
  });
  let toRedis: RoutePublisher | undefined;
  const document = async () => routing.document(await facilities.registry?.list());
  return {
    ...facilities,
    traefik: traefik && http ? endpointOf(traefik.token, document) : undefined,
    publisher: () => (routing.routes().length === 0 ? undefined : told),
    ofModules: (mount) => ({
      ...facilities.ofModules(mount),
      routesOf: (service, signal) => routing.slice(service, signal),
    }),
    observe(event, supervisor) {
      facilities.observe(event, supervisor);
      toRedis?.look();
    },
    // Who looks this runtime up through Traefik is to be sent elsewhere before the drain begins.
    companions: [...facilities.companions, { leave: () => toRedis?.leave() }],
    async publish(supervisor, { present, waits }) {
      services = () => present.reading.running.config.services;
      snapshot = () => supervisor.snapshot();
      const problem =
        waits && told ? drainProblem(config.runtime.shutdown, { publisher: told, env }) : undefined;
      if (problem !== undefined) log.warn(problem);
      if (told !== "redis") return;
      const own = await openPublisher(config, { ...parts, routing });
      toRedis = own;
      routing.onChanged(() => own.look());
      supervisor.addShutdownTask(() => own.close());
      own.start();
    },
  };
}

async function openPublisher(
  config: Config,
  { routing, clock, log }: Pick<RoutingParts, "clock" | "log"> & { routing: Routing },
): Promise<RoutePublisher> {
  const { traefik, registry } = config.discovery ?? {};
  if (!traefik?.redis || !registry) throw new Error("internal: routes are not published to Redis");
  const { RoutePublisher } = await import("../discovery/route-publisher.ts");
  const { traefikRedis } = await import("../drivers/redis/route-keys.ts");
  const { dialOf, nameOfPlace } = await import("./redis-place.ts");
  const { rootKey, place } = traefik.redis;
  const redis = { dial: dialOf(place), name: nameOfPlace(place), rootKey };
  return new RoutePublisher({
    keys: traefikRedis({ ...redis, namespace: namespaceOf(config) }),
    clock,
    ...registry,
    published: () => routing.published(),
    onTrouble: (reason) => (reason === undefined ? log.info("routes are published again") : log.warn(reason)),
  });
}

/** A drain that is cut short is one in which requests are lost; better said before than after. */
function drainProblem(
  shutdown: Config["runtime"]["shutdown"],
  { publisher, env }: Pick<RoutingParts, "env"> & { publisher: "http" | "redis" },
): string | undefined {
  const kubernetes = env["KUBERNETES_SERVICE_HOST"] !== undefined;
  const context = { kubernetes, publisher };
  const rule = drainRule(shutdown.drainMs, { ...context, attended: false });
  const budget = budgetMs(shutdown.budgetMs, context);
  if (rule.until !== "time" || drainMs(rule, budget) >= rule.waitMs) return undefined;
  const [has, wants] = [drainMs(rule, budget), rule.waitMs].map(inWords);
  return `a stop will drain for ${has} instead of ${wants}, and may lose requests: it takes at most half of runtime.shutdown.budget, which is ${inWords(budget)}; set that to at least ${inWords(2 * rule.waitMs)}, and give the container as long`;
}

/** Loaded with the first request. */
function endpointOf(token: string | undefined, document: () => Promise<string>): Fetch {
  let opened: Promise<Fetch> | undefined;
  return async (request, native) => {
    opened ??= import("../http/traefik.ts").then(({ createTraefik }) =>
      createTraefik({ ...(token !== undefined && { token }), document }),
    );
    return (await opened)(request, native);
  };
}
