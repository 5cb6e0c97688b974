// What a run has beside its services: a plane, a registry, routes that are told to a proxy, all of it or none. Joined here, so that the rest asks one thing whatever
// there is. What a config does not ask for is never loaded.
import process from "node:process";
import type { Config } from "../config/config.ts";
import { UsageError } from "../errors.ts";
import type { App } from "../http/app.ts";
import type { Gate } from "../ports/gate.ts";
import type { RuntimeEvent } from "../ports/runtime-event.ts";
import type { SupervisedService } from "../runtime/effects.ts";
import type { Supervisor } from "../runtime/supervisor.ts";
import type { DiscoveryParts, RunningDiscovery } from "./discovery.ts";
import type { ModuleContext } from "./module-service.ts";
import { openRouting, type RunningRoutes } from "./routing.ts";
import type { AnswersOptions, PlaneAnswers, PlaneParts, RunningPlane } from "./plane.ts";

export interface Facilities {
  /** To be started before the services. */
  parts: readonly SupervisedService[];
  /** The gate as the shutdown sees it. */
  gated(gate: Gate): Gate;
  /** To be shown everything that happens. */
  observe(event: RuntimeEvent): void;
  /** To be told of each service that is started; absent: nobody wants to know. */
  launched: RunningDiscovery["launched"] | undefined;
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
  /** Startup is over. */
  attend(supervisor: Supervisor): void;
}

type Given = Pick<DiscoveryParts, "clock" | "log" | "env" | "httpPort">;

/** Throws `StoreError` for a store that cannot be had, and `UsageError` for a service with the name of a part. */
export async function openFacilities(config: Config, given: Given): Promise<Facilities> {
  refuseTaken(config);
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
      const behind = routing.gated(plane?.gated(gate) ?? gate);
      return discovery?.gated(behind) ?? behind;
    },
    observe(event) {
      discovery?.observe(event);
      routing.observe();
    },
    launched: discovery?.launched,
    ofModules: (mount) => ({
      mount: discovery?.mounting(mount) ?? mount,
      planeOf: plane && ((service) => noted(service, { plane, discovery })),
      discovery,
      routesOf: routing.routesOf,
    }),
    traefik: routing.endpoint,
    publisher: routing.publisher,
    publish: routing.publish,
    answers: plane && discovery && ((options) => plane.answers({ ...options, registry: discovery.registry })),
    credentials: plane?.credentials,
    attend: (supervisor) => plane?.attend(supervisor),
  };
}

/** What they are called in health. */
const PARTS = { plane: ["store", "state_surface", "wal", "saga_coordinator"], discovery: ["registry"] };

function refuseTaken(config: Config): void {
  for (const kind of ["plane", "discovery"] as const) {
    const taken = config[kind] && config.services.find(({ name }) => PARTS[kind].includes(name));
    if (!taken) continue;
    const what = kind === "plane" ? "a plane" : "discovery";
    throw new UsageError(
      `cannot run the service '${taken.name}': with ${what} that is a part of it; rename it`,
    );
  }
}

function noted(
  service: string,
  { plane, discovery }: { plane: RunningPlane; discovery: RunningDiscovery | undefined },
) {
  const slices = plane.slicesOf(service);
  return discovery?.noting(service, slices) ?? slices;
}

async function planeOf(
  { plane, intents, services }: Config,
  given: Pick<PlaneParts, "clock" | "log" | "env" | "fetch">,
): Promise<RunningPlane | undefined> {
  if (!plane) return undefined;
  const { openPlane } = await import("./plane.ts");
  const tenants = new Map(
    services.flatMap(({ name, tenant }) => (tenant === undefined ? [] : [[name, tenant]])),
  );
  return openPlane({ ...given, config: plane, intents, tenants, cwd: process.cwd() });
}

async function discoveryOf(
  config: Config,
  given: Given & Pick<DiscoveryParts, "shared">,
): Promise<RunningDiscovery | undefined> {
  const { discovery } = config;
  if (!discovery) return undefined;
  const { openDiscovery } = await import("./discovery.ts");
  return openDiscovery({ ...given, config: { ...config, discovery } });
}
