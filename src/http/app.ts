// The Hono app behind the runtime's port: health, and what module services mount. Services are told apart: one's middleware
// and error handler never see another's requests. It opens no port and starts nothing.
import { Hono, type Context, type ErrorHandler, type ExecutionContext } from "hono";
import { HTTPException } from "hono/http-exception";
import { messageOf, stackOf } from "../errors.ts";
import type { StateName } from "../core/service-state.ts";
import type { HealthSource } from "../ports/health-source.ts";
import type { Log } from "../ports/log.ts";
import type { Inside } from "../ports/service.ts";
import { CONTROL_PATHS, DOCS_PATHS, TRAEFIK_PATH } from "./api-paths.ts";
import { type Claim, claimsOf, isReserved, refuseReserved, refuseShared } from "./claims.ts";
import type { HttpGate } from "./gate.ts";
import type { Identity } from "./health-page.ts";
import { HEALTH_PATHS, createHealth } from "./health.ts";
import { absolute, pathOf } from "./normalise.ts";
import { problem, unavailable } from "./problem.ts";
import type { Fetch } from "./server.ts";
import { callHandlers } from "./web-sockets.ts";

export interface AppOptions extends Identity {
  health: HealthSource;
  gate: HttpGate;
  log: Log;
  /** What answers under `/api/v1/runtime` and `/api/v1/services`; without it nobody does. */
  control?: Fetch | undefined;
  /** What answers under the rest of `/api/v1`, and what tells about that; without it nobody does. */
  plane?: { api: Fetch; docs: Fetch } | undefined;
  /** What tells Traefik of the routes; without it nobody does. */
  traefik?: Fetch | undefined;
}

export interface App {
  /** A plain fetch handler; `env` is whatever the server hands over beside the request. */
  fetch(request: Request, env?: unknown, context?: ExecutionContext): Response | Promise<Response>;
  /**
   * Calls `register` with an app of the service's own, whose routes answer at `/` while the service is up and 503 otherwise.
   * Mounting a service again replaces its routes. `inside` calls what answers. Throws `UsageError` for a path the runtime or another service has.
   */
  mount(service: string, register: (app: Hono) => void, options?: { inside?: Inside }): void;
}

interface Mount {
  service: string;
  app: Hono;
  inside: Inside;
  claims: readonly Claim[];
}

const AS_IT_IS: Inside = (work) => work();

/** States in which a service can answer. */
const UP: ReadonlySet<string | undefined> = new Set(["started", "ready", "unready"] satisfies StateName[]);

export function createApp({ health, gate, log, control, plane, traefik, ...identity }: AppOptions): App {
  const reserved = traefik ? [TRAEFIK_PATH] : [];
  const answers = createHealth({ ...identity, health, gate });
  const mounts = new Map<string, Mount>();
  // Hono takes no routes after its first request, so a mount drops the front app and the next request builds a new one.
  let front: Hono | undefined;

  function compose(): Hono {
    const app = new Hono({ getPath: pathOf });
    const all = [...mounts.values()].flatMap((mount) => mount.claims.map((claim) => ({ ...claim, mount })));
    addApis(app, { control, plane, traefik, gate, taken: all });
    for (const { method, path, mount } of all.filter(({ middleware }) => !middleware)) {
      app.on(method, path, (c, next) => (isReserved(c.req.path, reserved) ? next() : visit(c, mount)));
    }
    // Middleware may answer too, as a file server does, but only where nobody has a handler.
    for (const { method, path, mount } of all.filter(({ middleware }) => middleware)) {
      app.on(method, path, (c, next) =>
        isUp(mount) && !isReserved(c.req.path, reserved) ? visit(c, mount) : next(),
      );
    }
    return app.notFound((c) => gate.pass(c, async () => unmatched(c, health)));
  }

  function isUp({ service }: Mount): boolean {
    return UP.has(health.snapshot().components[service]?.state);
  }

  function visit(c: Context, mount: Mount): Promise<Response> {
    return gate.pass(c, async () => {
      if (!isUp(mount))
        return unavailable(`cannot answer ${c.req.path}: service "${mount.service}" is not up`);
      try {
        return await answerOf(c, mount);
      } catch (thrown) {
        // Hono hands an app's error handler only what is an `Error`.
        return failed(thrown, { c, service: mount.service });
      }
    });
  }

  function failed(thrown: unknown, { c, service }: { c: Context; service: string }): Response {
    if (thrown instanceof HTTPException) return thrown.getResponse();
    const detail = `cannot answer ${c.req.method} ${c.req.path}`;
    log.error(`${detail}: ${messageOf(thrown)}`, { service, stack: stackOf(thrown) });
    return problem({ status: 500, title: "Internal Server Error", detail: `${detail}: the log says why` });
  }

  return {
    fetch(request, env, context) {
      // Not by way of Hono: the front app is not there at the first probe, nor after each mount.
      const probe = HEALTH_PATHS.get(pathOf(request));
      if (probe) return answers[probe](request, env);
      return (front ??= compose()).fetch(request, env as object, context);
    },
    mount(service, register, { inside = AS_IT_IS } = {}) {
      const mount = { service, inside, ...serviceApp(register, (error, c) => failed(error, { c, service })) };
      refuseReserved(mount, reserved);
      for (const other of mounts.values()) if (other.service !== service) refuseShared(mount, other);
      mounts.set(service, mount);
      front = undefined;
    },
  };
}

async function answerOf(c: Context, { app, inside }: Mount): Promise<Response> {
  const request = absolute(c.req.raw);
  callHandlers(request, inside);
  const answer: unknown = await inside(() => app.fetch(request, c.env, executionContextOf(c)));
  if (isResponse(answer)) return answer;
  throw new TypeError(`the handler returned ${typeof answer}, not a Response`);
}

interface Apis extends Pick<AppOptions, "control" | "plane" | "traefik" | "gate"> {
  /** What services have. */
  taken: readonly Claim[];
}

function addApis(app: Hono, { control, plane, traefik, gate, taken }: Apis): void {
  // Not through the gate: an operator must reach a runtime that stops, and is nobody to wait for; and Traefik is to hear that it does.
  if (traefik) app.all(TRAEFIK_PATH, async (c) => traefik(c.req.raw, c.env));
  for (const path of plane ? CONTROL_PATHS : ["/api/v1"]) {
    if (control) app.all(`${path}/*`, async (c) => control(c.req.raw, c.env));
  }
  if (!plane) return;
  app.all("/api/v1/*", (c) => gate.pass(c, async () => plane.api(c.req.raw, c.env)));
  // A service may have these for itself, but not by answering everything.
  const free = DOCS_PATHS.filter((path) => !taken.some((claim) => claim.path === path));
  app.on(["GET", "HEAD"], free, (c) => gate.pass(c, async () => plane.docs(c.req.raw, c.env)));
}

function serviceApp(register: (app: Hono) => void, failed: ErrorHandler): Omit<Mount, "service" | "inside"> {
  const app = new Hono().notFound(notFound).onError(failed);
  register(app);
  const claims = claimsOf(app);
  // Where more than one handler matches, Hono takes one that returns nothing for the mistake it is, not for a path that nobody
  // has.
  app.use((_c, next) => next());
  return { app, claims };
}

function unmatched(c: Context, health: HealthSource): Response {
  if (!health.snapshot().started) return unavailable(`cannot answer ${c.req.path}: the runtime is starting`);
  return notFound(c);
}

function notFound(c: Context): Response {
  return problem({
    status: 404,
    title: "Not Found",
    detail: `cannot find ${c.req.path}: no service answers ${c.req.method} there`,
  });
}

/** Not by its class: under Node there are two of that name. */
function isResponse(answer: unknown): answer is Response {
  return Object.prototype.toString.call(answer) === "[object Response]";
}

function executionContextOf(c: Context): Context["executionCtx"] | undefined {
  try {
    return c.executionCtx;
  } catch {
    // Hono throws where there is none, which is everywhere but on edge workers.
    return undefined;
  }
}
