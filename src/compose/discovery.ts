// The registry of a run: what is said of its services and when, what reads it, and its place in the shutdown. Shared with other
// runtimes where the plane's store is; otherwise it is this process's own and writes nothing. Loaded only by a run that has one.
import type { DiscoveryConfig, HttpConfig, ServiceConfig } from "../config/config.ts";
import type { Clock } from "../ports/clock.ts";
import type { Companion } from "../ports/companion.ts";
import type { Log } from "../ports/log.ts";
import type { Probe } from "../ports/probe.ts";
import type { DiscoverySlices } from "../ports/registry.ts";
import type { RuntimeEvent } from "../ports/runtime-event.ts";
import type { PlaneSlices } from "../ports/service-plane.ts";
import type { Store } from "../ports/store.ts";
import { Presence } from "../discovery/presence.ts";
import { RuntimeRegistry } from "../discovery/registry.ts";
import { serviceFetch } from "../discovery/service-fetch.ts";
import type { App } from "../http/app.ts";
import type { SupervisedService } from "../runtime/effects.ts";
import type { PlaneUser } from "./plane.ts";
import { advertisedAddress } from "./advertised.ts";
import { partOf } from "./part.ts";

export interface DiscoveryParts {
  config: DiscoveryConfig;
  http: HttpConfig | false;
  /** The types of intents that the config itself describes. */
  handled: readonly string[];
  /** The store, where several runtimes share it. */
  shared: Store | undefined;
  /** Where this runtime listens; `undefined`: nowhere. */
  httpPort: () => number | undefined;
  clock: Clock;
  log: Log;
  env: Readonly<Record<string, string | undefined>>;
}

export interface RunningDiscovery extends DiscoverySlices {
  /** Its part, to be started before the services. */
  part: SupervisedService;
  /** To be shown everything that happens. */
  observe(event: RuntimeEvent): void;
  /** A service, which can be found from each of its starts on. */
  tracked(service: Tracked, made: SupervisedService): SupervisedService;
  /** The same, and what is mounted can be found. */
  mounting(mount: App["mount"]): App["mount"];
  /** The same, and who handles what can be found. */
  noting(planeOf: (user: PlaneUser) => PlaneSlices): (user: PlaneUser) => PlaneSlices;
  /** Nobody finds this runtime from the drain on, and behind its last request it is gone. */
  companion: Companion;
}

export interface Tracked {
  name: string;
  /** Where one leads is where it is found, unless it says. */
  routes?: ServiceConfig["routes"];
  /** What its replicas have in common. */
  group: string;
  /** Where it listens by itself. */
  port?: number | undefined;
}

/** What carries out the intents of the config. */
const COORDINATOR = "saga_coordinator";

export function openDiscovery(parts: DiscoveryParts): RunningDiscovery {
  const { config, http, handled, shared, httpPort, clock, log, env } = parts;
  const onNews = new Set<() => void>();
  const onTrouble = (reason: string | undefined): void => {
    for (const look of onNews) look();
    if (reason === undefined) log.info("the registry is told to the others again");
    else log.warn(`cannot tell the others of the registry, trying again: ${reason}`);
  };
  const registry = new RuntimeRegistry({
    clock,
    random: Math.random,
    ...(shared && { shared: { ...config.registry, store: shared, onTrouble } }),
  });
  const presence = new Presence({
    registry,
    // Traefik, as others, may be on another machine.
    address: advertisedAddress({
      ...config,
      http,
      shared: shared !== undefined || config.traefik !== undefined,
      env,
    }),
    httpPort,
    newInstance: () => `instance_${crypto.randomUUID().replaceAll("-", "")}`,
  });
  for (const type of handled) presence.handles(COORDINATOR, type);
  const probe: Probe = {
    check: async () => verdictOf(registry.trouble),
    onChange(ask) {
      onNews.add(ask);
      return () => void onNews.delete(ask);
    },
  };
  const options = shared ? { needs: ["store"], probe } : {};
  return {
    registry,
    fetch: serviceFetch({ registry, fetch: (url, init) => fetch(url, init) }),
    part: partOf("registry", { startup() {}, shutdown: () => registry.close() }, options),
    observe(event) {
      if (event.type === "service-state-changed") presence.observe(event.service, event.to);
    },
    tracked: ({ name, group, port, routes = [] }, made) => ({
      ...made,
      launcher: {
        launch(incarnation, report) {
          presence.launched(name, { group, port: port ?? portOf(routes) });
          return made.launcher.launch(incarnation, report);
        },
      },
    }),
    mounting: (mount) => (service, register, options) => {
      mount(service, register, options);
      presence.mounted(service);
    },
    noting: (planeOf) => (user) => noting(planeOf(user), (type) => presence.handles(user.service, type)),
    companion: companionOf(presence, { shared: shared !== undefined }),
  };
}

/** Where its routes lead is where it is found. */
function portOf(routes: ServiceConfig["routes"]): number | undefined {
  return routes.flatMap(({ target }) => (target.type === "port" ? [target.port] : []))[0];
}

function verdictOf(trouble: string | undefined) {
  return trouble === undefined ? { ok: true as const } : { ok: false as const, reason: trouble };
}

function noting(slices: PlaneSlices, handles: (type: string) => void): PlaneSlices {
  const { intents, sagas } = slices;
  return {
    ...slices,
    intents: {
      submit: (intent) => intents.submit(intent),
      register(type, options, handler) {
        intents.register(type, options, handler);
        handles(type);
      },
    },
    sagas: {
      register(saga) {
        sagas.register(saga);
        handles(saga.definition.name);
      },
    },
  };
}

/** Whoever cannot be told finds out when the entries expire. */
function companionOf(presence: Presence, { shared }: { shared: boolean }): Companion {
  let isLeaving = false;
  return {
    leave() {
      const known = presence.drain().catch(() => {});
      return shared ? known : undefined;
    },
    async whenEmpty(over) {
      if (over.aborted) return;
      isLeaving = true;
      await presence.leave().catch(() => {});
      isLeaving = false;
    },
    inside: () => (isLeaving ? ["the entries of the registry"] : []),
  };
}
