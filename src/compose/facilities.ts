// What a run has beside its services: a plane, a registry, routes that are told to a proxy, all of it or none. Joined here, so that the rest asks one thing whatever
// there is. What a config does not ask for is never loaded.
import process from "node:process";
import type { Config, ServiceConfig } from "../config/config.ts";
import { UsageError } from "../errors.ts";
import type { App } from "../http/app.ts";
import type { Gate } from "../ports/gate.ts";
import type { RuntimeEvent } from "../ports/runtime-event.ts";
import type { SupervisedService } from "../runtime/effects.ts";
import type { Supervisor } from "../runtime/supervisor.ts";
import type { DiscoveryParts, RunningDiscovery } from "./discovery.ts";
import { withSteps } from "./gate-with-steps.ts";
import type { ModuleContext } from "./module-service.ts";
import type { AnswersOptions, PlaneAnswers, RunningPlane } from "./plane.ts";
import type { ProcessPlaneParts } from "./process-plane.ts";
import { openRouting, type RunningRoutes } from "./routing.ts";

export interface Facilities {
  /** To be started before the services. */
  parts: readonly SupervisedService[];
  /** The gate as the shutdown sees it. */
  gated(gate: Gate): Gate;
  /** To be shown everything that happens. */
  observe(event: RuntimeEvent, supervisor: Supervisor): void;
  /** A service of the config, looked after; absent: nobody does. */
  tracked: ((service: ServiceConfig, made: SupervisedService) => SupervisedService) | undefined;
  /** What modules find of it, and where their routes go. */
  ofModules(mount: App["mount"]): Pick<ModuleContext, "mount" | "planeOf" | "discovery" | "routesOf">;
  /** What answers over HTTP; absent: nothing does. */
  answers: ((options: Omit<AnswersOptions, "registry">) => PlaneAnswers) | undefined;
  /** With what processes reach it; absent: nothing is to be reached. */
  credentials: RunningPlane["credentials"] | undefined;
  /** What tells Traefik of routes; absent: nothing does. */
  traefik: RunningRoutes["endpoint"];
  /** By what Traefik is told, as long as there is something to tell. */
  publisher: RunningRoutes["publisher"];
  /** From now on routes are published. */
  publish: RunningRoutes["publish"];
}

type Given = Pick<DiscoveryParts, "clock" | "log" | "env" | "httpPort"> & Pick<ProcessPlaneParts, "inside">;

/** Throws `StoreError` for a store that cannot be had, and `UsageError` for a service with the name of a part. */
export async function openFacilities(config: Config, given: Given): Promise<Facilities> {
  if (config.discovery && config.services.some(({ name }) => name === "registry"))
    throw new UsageError("cannot run the service 'registry': with discovery that is a part of it; rename it");
  const plane = await planeOf(config, {
    ...given,
    // Nobody calls before the start, and there is a registry by then.
    fetch: async (url, init) => (discovery ?? globalThis).fetch(url, init),
  });
  const discovery = await discoveryOf(config, { ...given, shared: plane?.shared });
  const routing = openRouting(config, { ...given, registry: plane?.shared && discovery?.registry });
  return {
    parts: [...(plane?.services ?? []), ...(discovery ? [discovery.part] : [])],
    gated(gate) {
      const behind = routing.gated(plane ? withSteps(gate, plane.stopSteps) : gate);
      return discovery?.gated(behind) ?? behind;
    },
    observe(event, supervisor) {
      discovery?.observe(event);
      routing.observe();
      plane?.observe(event, supervisor);
    },
    tracked: discovery && ((service, made) => (service.task ? made : discovery.tracked(service, made))),
    ofModules: (mount) => ({
      mount: discovery?.mounting(mount) ?? mount,
      planeOf: plane && (discovery?.noting(plane.slicesOf) ?? plane.slicesOf),
      discovery,
      routesOf: routing.routesOf,
    }),
    traefik: routing.endpoint,
    publisher: routing.publisher,
    publish: routing.publish,
    answers: plane && discovery && ((options) => plane.answers({ ...options, registry: discovery.registry })),
    credentials: plane?.credentials,
  };
}

async function planeOf(
  { runtime, plane, intents, services }: Config,
  given: Pick<ProcessPlaneParts, "clock" | "log" | "inside" | "env" | "fetch">,
): Promise<RunningPlane | undefined> {
  if (!plane) return undefined;
  const { openProcessPlane } = await import("./process-plane.ts");
  const tenants = new Map(services.map(({ name, tenant }) => [name, tenant]));
  const { timeoutMs: startupTimeoutMs } = runtime.startup;
  return openProcessPlane({
    ...given,
    config: plane,
    intents,
    tenants,
    startupTimeoutMs,
    cwd: process.cwd(),
  });
}

async function discoveryOf(
  { discovery, http, intents }: Config,
  given: Given & Pick<DiscoveryParts, "shared">,
): Promise<RunningDiscovery | undefined> {
  if (!discovery) return undefined;
  const { openDiscovery } = await import("./discovery.ts");
  const handled = intents.map(({ definition }) => definition.name);
  return openDiscovery({ ...given, config: discovery, http, handled });
}
