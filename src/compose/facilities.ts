// What a run has beside its services: a plane, a registry, both or neither. Joined here, so that the rest asks one thing whatever
// there is. What a config does not ask for is never loaded.
import type { Config } from "../config/config.ts";
import { UsageError } from "../errors.ts";
import type { App } from "../http/app.ts";
import type { Companion } from "../ports/companion.ts";
import type { RegistryReader } from "../ports/registry.ts";
import type { RuntimeEvent } from "../ports/runtime-event.ts";
import type { SupervisedService } from "../runtime/effects.ts";
import type { Supervisor } from "../runtime/supervisor.ts";
import type { DiscoveryParts, RunningDiscovery, Tracked } from "./discovery.ts";
import type { ModuleContext } from "./module-service.ts";
import type { AnswersOptions, PlaneAnswers, RunningPlane } from "./plane.ts";
import type { ProcessPlaneParts } from "./process-plane.ts";

export interface Facilities {
  /** To be started before the services. */
  parts: readonly SupervisedService[];
  /** What the shutdown has to hear of, in the order in which it waits for them. */
  companions: readonly Companion[];
  /** To be shown everything that happens. */
  observe(event: RuntimeEvent, supervisor: Supervisor): void;
  /** A service, looked after; absent: nobody does. */
  tracked: ((service: Tracked & { task: boolean }, made: SupervisedService) => SupervisedService) | undefined;
  /** What modules find of it, and where their routes go. */
  ofModules(mount?: App["mount"]): Pick<ModuleContext, "mount" | "planeOf" | "discovery">;
  /** What answers over HTTP; absent: nothing does. */
  answers: ((options: Omit<AnswersOptions, "registry">) => PlaneAnswers) | undefined;
  /** With what processes reach it; absent: nothing is to be reached. */
  credentials: RunningPlane["credentials"] | undefined;
  /** Where it knows of other runtimes, too; absent: it knows of this one at most. */
  registry: RegistryReader | undefined;
  /** Lets go of what no part has let go of. */
  close(): Promise<void>;
}

/** What there is to be, as a config says it. */
export interface Asked extends Pick<Config, "plane" | "discovery" | "http" | "intents"> {
  runtime: { startup: { timeoutMs: number } };
  services: readonly { name: string }[];
}

/** What code asks for. */
export function inCode({
  startupTimeoutMs,
  ...asked
}: Pick<Asked, "plane" | "discovery" | "services"> & { startupTimeoutMs: number }): Asked {
  const runtime = { startup: { timeoutMs: startupTimeoutMs } };
  return { ...asked, runtime, http: false, intents: [] };
}

type Given = Pick<DiscoveryParts, "clock" | "log" | "env" | "httpPort"> & Pick<ProcessPlaneParts, "nextTurn">;

/** Throws `StoreError` for a store that cannot be had, and `UsageError` for a service with the name of a part. */
export async function openFacilities(asked: Asked, given: Given): Promise<Facilities> {
  if (asked.discovery && !asked.plane && asked.services.some(({ name }) => name === "registry"))
    throw new UsageError("cannot run the service 'registry': with discovery that is a part of it; rename it");
  const plane = await planeOf(asked, {
    ...given,
    // Nobody calls before the start, and there is a registry by then.
    fetch: async (url, init) => (discovery ?? globalThis).fetch(url, init),
  });
  const discovery = await discoveryOf(asked, { ...given, shared: plane?.shared });
  return {
    parts: [...(plane?.services ?? []), ...(discovery ? [discovery.part] : [])],
    // Who is reached by a step that finishes is found until then.
    companions: [...(plane ? [finishing(plane.stopSteps)] : []), ...(discovery ? [discovery.companion] : [])],
    observe(event, supervisor) {
      discovery?.observe(event);
      plane?.observe(event, supervisor);
    },
    tracked: discovery && ((service, made) => (service.task ? made : discovery.tracked(service, made))),
    ofModules: (mount) => ({
      ...(mount && { mount: discovery?.mounting(mount) ?? mount }),
      planeOf: plane && (discovery?.noting(plane.slicesOf) ?? plane.slicesOf),
      discovery,
    }),
    answers: plane && discovery && ((options) => plane.answers({ ...options, registry: discovery.registry })),
    credentials: plane?.credentials,
    registry: plane?.shared && discovery?.registry,
    close: async () => plane?.close(),
  };
}

/** With the requests those steps of executions are finished that are under way, and no further one begins. */
function finishing(stopSteps: RunningPlane["stopSteps"]): Companion {
  let stopping: Promise<unknown> | undefined;
  return {
    refuse(over) {
      // What goes wrong there is said by the part that stops them, too; here it only means that there is nothing to wait for.
      stopping = stopSteps(over)
        .catch(() => {})
        .finally(() => (stopping = undefined));
    },
    whenEmpty: async () => void (await stopping),
    inside: () => (stopping ? ["steps of executions"] : []),
  };
}

async function planeOf(
  { runtime, plane, intents, services }: Asked,
  given: Pick<ProcessPlaneParts, "clock" | "log" | "nextTurn" | "env" | "fetch">,
): Promise<RunningPlane | undefined> {
  if (!plane) return undefined;
  const { openProcessPlane } = await import("./process-plane.ts");
  const { timeoutMs: startupTimeoutMs } = runtime.startup;
  return openProcessPlane({
    ...given,
    config: plane,
    intents,
    services: services.map(({ name }) => name),
    startupTimeoutMs,
  });
}

async function discoveryOf(
  { discovery, http, intents }: Asked,
  given: Given & Pick<DiscoveryParts, "shared">,
): Promise<RunningDiscovery | undefined> {
  if (!discovery) return undefined;
  const { openDiscovery } = await import("./discovery.ts");
  const handled = intents.map(({ definition }) => definition.name);
  return openDiscovery({ ...given, config: discovery, http, handled });
}
