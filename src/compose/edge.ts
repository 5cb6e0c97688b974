// The runtime at the edge: the same services, health and routes behind one fetch handler, without a process to supervise,
// signals or a port. Starts on the first request, which waits for it. Needs no `node:`.
import type { ExecutionContext } from "hono";
import type { PlaneConfig } from "../config/config.ts";
import { PLAIN_SPEC, type ServiceSpec } from "../core/spec.ts";
import { systemClock } from "../drivers/clock.ts";
import { consoleLog } from "../drivers/console-log.ts";
import { edgeClock } from "../drivers/edge-clock.ts";
import { UsageError } from "../errors.ts";
import { type App, createApp } from "../http/app.ts";
import { createGate } from "../http/gate.ts";
import { HEALTH_PATHS } from "../http/health.ts";
import { pathOf } from "../http/normalise.ts";
import { unavailable } from "../http/problem.ts";
import type { Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { ServiceLike } from "../ports/service.ts";
import { narrate } from "../runtime/narrate.ts";
import { Supervisor } from "../runtime/supervisor.ts";
import { moduleService } from "./module-service.ts";
import { routesInCode } from "./routes-in-code.ts";
import { ANYTHING, checkOptions, LIST, nameToUse, type Rules, TEXT } from "./option-rules.ts";
import type { AnswersOptions, PlaneAnswers, RunningPlane } from "./plane.ts";
import { PLANE_RULES, planeConfigOf, type PlaneOptionsOverHttp, refuseParts } from "./plane-options.ts";
import { version } from "./version.ts";

export interface EdgeOptions {
  /** What health answers as `service`. */
  name: string;
  /** Started in parallel, each ready once its `startup` has resolved. */
  services: readonly ServiceLike[];
  /** Default: the console, from `info` on. */
  log?: Log;
  /** Where the plane keeps what it has: as long as this isolate lives. Nothing else works here, and nothing is taken for granted. */
  store?: "memory" | { driver: "memory" };
  /**
   * Also at `/api/v1`, for whom `auth` lets in; where the platform does not say who asks, without `auth` that is nobody. Steps go on
   * after the answer as long as the platform's `waitUntil` lets them; what rests goes on with the first request after its time.
   */
  plane?: PlaneOptionsOverHttp;
}

const OPTIONS: Rules<EdgeOptions> = { name: TEXT, services: LIST, log: ANYTHING, ...PLANE_RULES };
const CANNOT = "cannot make an edge handler";

/** What edge platforms take as the default export of a module. */
export interface EdgeHandler {
  fetch(request: Request, env?: unknown, context?: ExecutionContext): Promise<Response>;
}

const STARTUP_TIMEOUT_MS = 30_000;

/**
 * Throws `UsageError` for a service that has no name or one that a config would refuse, for two of one name and for an option
 * that is not known. A start that fails is logged, answered by
 * readiness with 503, and not tried again by this isolate.
 */
export function edge(options: EdgeOptions): EdgeHandler {
  checkOptions(options, { cannot: CANNOT, rules: OPTIONS });
  const { name, services, log = consoleLog({ level: "info", name }) } = options;
  const config = planeConfigIn(options);
  const clock = edgeClock(systemClock());
  const gate = createGate({ clock });
  let plane: RunningPlane | undefined;
  const supervisor = new Supervisor({
    clock,
    emit: (event) => {
      narrate(event, log);
      plane?.observe(event, supervisor);
    },
    startup: { timeoutMs: STARTUP_TIMEOUT_MS, concurrency: Infinity, onFailure: "rollback" },
    shutdown: { budgetMs: "auto", drainMs: 0 },
    kubernetes: false,
    gate,
  });
  const named = namesOf(services);
  if (config) refuseParts(named.keys());

  async function start(): Promise<App> {
    plane = config && (await openPlane(config, { clock, log, services: [...named.keys()] }));
    const options = { name, version, ending: gate.draining, trusting: false };
    const answers = plane && (await answersOf(plane, { ...options, clock }));
    const identity = { service: name, version };
    const app = createApp({ ...identity, health: supervisor, gate, log, plane: answers });
    const instances = new Map<string, object>();
    const context = {
      supervisor,
      clock,
      log,
      instances,
      mount: app.mount,
      planeOf: plane?.slicesOf,
      routesOf: routesInCode(supervisor),
    };
    const supervised = [...named].map(([own, service]) =>
      moduleService(specOf(service, own), () => service, context),
    );
    const parts = plane?.services ?? [];
    await supervisor.run([...parts, ...supervised]).catch(() => void (failed = true));
    return app;
  }

  let started: Promise<App> | undefined;
  let failed = false;
  return {
    async fetch(request, env, context) {
      clock.catchUp();
      if (started === undefined) {
        // Why it failed is in the log by then.
        started = start();
        // It belongs to all requests: it goes on when the client of this one goes.
        context?.waitUntil(started);
      }
      const app = await started;
      if (failed && !HEALTH_PATHS.has(pathOf(request)))
        return unavailable(`cannot answer ${pathOf(request)}: the runtime did not start; the log says why`);
      const answer = await app.fetch(request, env, context);
      if (plane) context?.waitUntil(plane.whenStill());
      return answer;
    },
  };
}

/** Throws `UsageError` for a store that there is not at the edge. */
function planeConfigIn({ store, plane }: EdgeOptions): PlaneConfig | undefined {
  const scope = { cannot: CANNOT, overHttp: true, cwd: "/", stateFolder: "/" };
  const config = planeConfigOf({ store, plane }, scope);
  if (config === undefined || config.store.driver === "memory") return config;
  throw new UsageError(
    `${CANNOT}: there are no files and no lasting connections here, so a plane needs store: "memory"`,
  );
}

interface EdgePlaneParts {
  clock: Clock;
  log: Log;
  services: readonly string[];
}

/** Loaded only where there is to be one. */
async function openPlane(config: PlaneConfig, { services, ...parts }: EdgePlaneParts): Promise<RunningPlane> {
  const [{ openPlane: open }, { embeddedStore }, { memoryEngine }] = await Promise.all([
    import("./plane.ts"),
    import("../drivers/store-embedded.ts"),
    import("../drivers/store-memory.ts"),
  ]);
  const failpoint = () => {};
  // A batch of one's own: one that waits for its turn would go with the request that began it, and the others' writes with it.
  const options = { clock: parts.clock, failpoint, nextTurn: (run: () => void) => queueMicrotask(run) };
  return open({
    ...parts,
    config,
    failpoint,
    intents: [],
    startupTimeoutMs: STARTUP_TIMEOUT_MS,
    services,
    openStore: async (hooks) => embeddedStore(memoryEngine(), { ...options, ...hooks }),
  });
}

/** In the registry there is nobody: what is reached here is reached through the platform. */
async function answersOf(
  plane: RunningPlane,
  { clock, ...options }: Omit<AnswersOptions, "registry"> & { clock: Clock },
): Promise<PlaneAnswers> {
  const { RuntimeRegistry } = await import("../discovery/registry.ts");
  return plane.answers({ ...options, registry: new RuntimeRegistry({ clock, random: Math.random }) });
}

function namesOf(services: readonly ServiceLike[]): Map<string, ServiceLike> {
  const names = new Map<string, ServiceLike>();
  const instances = new Map<ServiceLike, string>();
  for (const service of services) {
    const own = nameToUse(service, { names, instances });
    names.set(own, service);
    instances.set(service, own);
  }
  return names;
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
