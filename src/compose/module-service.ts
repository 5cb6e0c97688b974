// A module service made whole: its launcher, what it finds as `this.runtime`, and its routes. Used wherever modules run: from
// a config, in code, at the edge. Needs no `node:`.
import type { ServiceSpec } from "../core/spec.ts";
import { moduleLauncher } from "../drivers/module-launcher.ts";
import type { Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { Launcher } from "../ports/launcher.ts";
import type { DiscoverySlices } from "../ports/registry.ts";
import type { Routes } from "../ports/routing.ts";
import type { PlaneSlices } from "../ports/service-plane.ts";
import type { Inside, ServiceLike } from "../ports/service.ts";
import { ServiceRuntime } from "../runtime/service-runtime.ts";
import type { SupervisedService } from "../runtime/effects.ts";
import type { Supervisor } from "../runtime/supervisor.ts";
import type { PlaneUser } from "./plane.ts";
import type { App } from "../http/app.ts";
import type { ModuleOutput } from "./module-output.ts";

export interface ModuleContext {
  supervisor: Supervisor;
  clock: Clock;
  log: Log;
  /** The instances that exist, by name; filled by the services as they are loaded. */
  instances: Map<string, object>;
  /** Where a service's routes go; without one they are not asked for. */
  mount?: App["mount"];
  /** The plane as a service sees it; absent: there is none. */
  planeOf?: ((user: PlaneUser) => PlaneSlices) | undefined;
  /** Whom the service acts for there. */
  tenant?: string | undefined;
  /** Absent: there is no registry. */
  discovery?: DiscoverySlices | undefined;
  /** The routes as one launch of a service sees them, by the service's name. */
  routesOf: (service: string, signal: AbortSignal) => Routes;
  /** Where what they say goes; absent: the console is left alone. */
  output?: ModuleOutput;
}

/** `load` gives the instance; it is called when the service starts. */
export function moduleService(
  spec: ServiceSpec,
  load: () => Promise<ServiceLike> | ServiceLike,
  context: ModuleContext,
): SupervisedService {
  const { supervisor, clock, log, instances, mount, planeOf, tenant, discovery, routesOf, output } = context;
  const inside: Inside = output?.inside(spec.name) ?? ((work) => work());
  const launcher = moduleLauncher({
    load,
    task: spec.task,
    onInstance(service, signal) {
      instances.set(spec.name, service);
      service.runtime = new ServiceRuntime({
        spec,
        instances,
        markReady: (name) => supervisor.markReady(name),
        addBackgroundTask: (task) => supervisor.addBackgroundTask((signal) => inside(() => task(signal))),
        log,
        clock,
        signal,
        plane: planeOf?.({ service: spec.name, tenant, inside }),
        discovery,
        routes: () => routesOf(spec.name, signal),
      });
      const { routes } = service;
      if (routes) mount?.(spec.name, (app) => routes.call(service, app), { inside });
    },
  });
  return { spec, launcher: output ? speaking(launcher, { inside, outside: output.outside }) : launcher };
}

/** All that is called in the service is called as its code; what is reported is not. */
function speaking({ launch }: Launcher, { inside, outside }: Record<"inside" | "outside", Inside>): Launcher {
  return {
    launch(incarnation, report) {
      const running = inside(() => launch(incarnation, (outcome) => outside(() => report(outcome))));
      const { health } = running;
      return {
        stop: () => inside(() => running.stop()),
        kill: () => inside(() => running.kill()),
        ...(health && { health: (signal) => inside(() => health(signal)) }),
      };
    },
  };
}
