// A module service made whole: its launcher, what it finds as `this.runtime`, and its routes. Used wherever modules run: from
// a config, in code, at the edge. Needs no `node:`.
import type { ServiceSpec } from "../core/spec.ts";
import { moduleLauncher } from "../drivers/module-launcher.ts";
import type { Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { DiscoverySlices } from "../ports/registry.ts";
import type { Routes } from "../ports/routing.ts";
import type { PlaneSlices } from "../ports/service-plane.ts";
import type { ServiceLike } from "../ports/service.ts";
import { ServiceRuntime } from "../runtime/service-runtime.ts";
import type { SupervisedService } from "../runtime/effects.ts";
import type { Supervisor } from "../runtime/supervisor.ts";
import type { App } from "../http/app.ts";

export interface ModuleContext {
  supervisor: Supervisor;
  clock: Clock;
  log: Log;
  /** The instances that exist, by name; filled by the services as they are loaded. */
  instances: Map<string, object>;
  /** Where a service's routes go; without one they are not asked for. */
  mount?: App["mount"];
  /** The plane as a service sees it, by the service's name; absent: there is none. */
  planeOf?: ((service: string) => PlaneSlices) | undefined;
  /** Absent: there is no registry. */
  discovery?: DiscoverySlices | undefined;
  /** The routes as one launch of a service sees them, by the service's name; absent: there are none. */
  routesOf?: ((service: string, signal: AbortSignal) => Routes) | undefined;
}

/** `load` gives the instance; it is called when the service starts. */
export function moduleService(
  spec: ServiceSpec,
  load: () => Promise<ServiceLike> | ServiceLike,
  context: ModuleContext,
): SupervisedService {
  const { supervisor, clock, log, instances, mount, planeOf, discovery, routesOf } = context;
  const launcher = moduleLauncher({
    load,
    task: spec.task,
    onInstance(service, signal) {
      instances.set(spec.name, service);
      service.runtime = new ServiceRuntime({
        spec,
        instances,
        markReady: (name) => supervisor.markReady(name),
        addBackgroundTask: (task) => supervisor.addBackgroundTask(task),
        log,
        clock,
        signal,
        plane: planeOf?.(spec.name),
        discovery,
        routes: routesOf?.(spec.name, signal),
      });
      const { routes } = service;
      if (routes) mount?.(spec.name, (app) => routes.call(service, app));
    },
  });
  return { spec, launcher };
}
