// The control API: what a runtime is doing, and telling it to do something else. It carries what the ports offer and decides
// nothing; who may ask is decided where it is mounted: everybody on the socket, bearers of the token on TCP.
import { Hono, type Context } from "hono";
import { didYouMean } from "../config/did-you-mean.ts";
import { messageOf, stackOf } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";
import type { Control, LogSource, ServiceAction, StatusSource } from "../ports/control.ts";
import type { Log } from "../ports/log.ts";
import { prefers } from "./accept.ts";
import { keepOpen } from "./connection.ts";
import { BadInput, COUNT, FLAG, NAMES, oneOf, readInput, readQuery, TEXT } from "./control-input.ts";
import { eventView, lineView, runtimeView, serviceView, timelineView } from "./control-views.ts";
import { type FeedOptions, feed, type Message } from "./feed.ts";
import { HEALTH_PATHS, type HealthHandler } from "./health.ts";
import type { Probe } from "./health-page.ts";
import { pathOf } from "./normalise.ts";
import { problem } from "./problem.ts";

export interface ControlOptions {
  status: StatusSource;
  operate: Control;
  logs: LogSource;
  log: Log;
  clock: Clock;
  /** Aborts when streams should end. */
  ending: AbortSignal;
  /** How requests come in, for the record of a shutdown: `the control socket`. */
  channel: string;
  /** Also answers the health endpoints. */
  probes?: Record<Probe, HealthHandler>;
}

const RUNTIME = "/api/v1/runtime";
const SERVICES = "/api/v1/services";
const GRAPH_TYPES = { dot: "text/vnd.graphviz", mermaid: "text/vnd.mermaid" } as const;

export function createControl(options: ControlOptions): Hono {
  const app = new Hono({ getPath: pathOf });
  const { probes } = options;
  for (const [path, probe] of HEALTH_PATHS) {
    if (probes) app.all(path, (c) => probes[probe](c.req.raw, c.env));
  }
  addRuntime(app, options);
  addServices(app, options);
  app.notFound((c) => notFound(`cannot find ${c.req.path}: the control API is ${RUNTIME} and ${SERVICES}`));
  return app.onError((error, c) => {
    if (error instanceof BadInput) return error.response;
    const detail = `cannot answer ${c.req.method} ${c.req.path}`;
    options.log.error(`${detail}: ${messageOf(error)}`, { stack: stackOf(error) });
    return problem({ status: 500, title: "Internal Server Error", detail: `${detail}: the log says why` });
  });
}

function addRuntime(app: Hono, { status, operate, channel, ...streams }: ControlOptions): void {
  app.get(RUNTIME, (c) => answer(c, runtimeView(status.runtime())));
  app.get(`${RUNTIME}/timeline`, (c) => answer(c, timelineView(status.timeline())));
  app.get(`${RUNTIME}/graph`, (c) => {
    const { format = "dot" } = readQuery(c.req.queries(), { format: oneOf("dot", "mermaid") });
    return c.body(status.graph(format), 200, { "content-type": `${GRAPH_TYPES[format]}; charset=utf-8` });
  });
  app.get(`${RUNTIME}/events`, (c) => {
    let id = 0;
    return stream(c, {
      ...streams,
      subscribe: (send) =>
        status.on((event) => send({ event: event.type, id: (id += 1), data: eventView(event) })),
    });
  });
  app.post(`${RUNTIME}/reload`, async (c) => {
    await readInput(c.req.raw, c.req.queries(), {});
    const outcome = await operate.reload();
    if (outcome.ok) {
      const { added, changed, removed } = outcome;
      return answer(c, { added, changed, removed });
    }
    const errors = outcome.problems.map((message) => ({ path: "", message }));
    const detail = `cannot reload, nothing was changed: ${outcome.problems.join("; ")}`;
    return problem({ status: 422, title: "Unprocessable Content", detail, errors });
  });
  app.post(`${RUNTIME}/shutdown`, async (c) => {
    const { reason } = await readInput(c.req.raw, c.req.queries(), { reason: TEXT });
    operate.shutdown(`asked to stop over ${channel}${reason === undefined ? "" : `: ${reason}`}`);
    return answer(c, runtimeView(status.runtime()), 202);
  });
  for (const path of ["", "/timeline", "/graph", "/events"]) only(app, "GET", RUNTIME + path);
  for (const path of ["/reload", "/shutdown"]) only(app, "POST", RUNTIME + path);
}

function addServices(app: Hono, { status, operate, logs, ...streams }: ControlOptions): void {
  /** `; did you mean "x"?` for the first of the names that nobody has. */
  const nearest = (names: readonly string[]) => {
    const known = status.services().map(({ name }) => name);
    const missing = names.find((name) => !known.includes(name));
    return missing === undefined ? "" : didYouMean(missing, known);
  };
  const unknown = (name: string) => notFound(`unknown service "${name}"${nearest([name])}`);
  app.get(SERVICES, (c) => answer(c, listOf(status.services().map(serviceView))));
  app.get(`${SERVICES}/:name`, (c) => {
    const service = status.service(c.req.param("name"));
    return service ? answer(c, serviceView(service)) : unknown(c.req.param("name"));
  });
  app.post(`${SERVICES}/:name/:action{start|stop|restart}`, async (c) => {
    const input = { cascade: FLAG, also: NAMES };
    const { cascade = false, also = [] } = await readInput(c.req.raw, c.req.queries(), input);
    const names = [c.req.param("name"), ...also];
    const outcome = await operate.act(c.req.param("action") as ServiceAction, names, { cascade });
    if (outcome.ok) return answer(c, { services: outcome.services }, 202);
    if (outcome.kind === "unknown") return notFound(outcome.reason + nearest(names));
    return problem({ status: 409, title: "Conflict", detail: outcome.reason });
  });
  app.get(`${SERVICES}/:name/logs`, (c) => {
    const readers = { follow: FLAG, tail: COUNT, after: COUNT, also: NAMES };
    const { follow = false, tail, also = [], ...query } = readQuery(c.req.queries(), readers);
    const names = [...new Set([c.req.param("name"), ...also])];
    const missing = names.find((name) => status.service(name) === undefined);
    if (missing !== undefined) return unknown(missing);
    // Lines are counted for each service, so only one service's stream can be taken up again.
    const after = names.length === 1 ? (query.after ?? COUNT.read(c.req.header("last-event-id"))) : undefined;
    const lines = names
      .flatMap((name) => logs.read(name, tail === undefined ? {} : { tail }))
      .filter(({ seq }) => seq > (after ?? 0))
      .toSorted((one, other) => one.atMs - other.atMs);
    const message = (line: (typeof lines)[number]): Message => ({
      event: "line",
      ...(names.length === 1 && { id: line.seq }),
      data: lineView(line),
    });
    if (!follow && !isStream(c)) return answer(c, listOf(lines.map(lineView)));
    return stream(c, {
      ...streams,
      ...(!follow && { ending: AbortSignal.abort("these are all") }),
      backlog: lines.map(message),
      subscribe: (send) => logs.follow(names, (line) => send(message(line))),
    });
  });
  for (const path of ["", "/:name", "/:name/logs"]) only(app, "GET", SERVICES + path);
  only(app, "POST", `${SERVICES}/:name/:action{start|stop|restart}`);
}

/** Refuses every method but the one that was registered before. */
function only(app: Hono, method: "GET" | "POST", path: string): void {
  const allow = method === "GET" ? "GET, HEAD" : method;
  app.all(path, (c) => {
    const detail = `cannot ${c.req.method} ${c.req.path}: use ${method}`;
    return problem({ status: 405, title: "Method Not Allowed", detail, headers: { allow } });
  });
}

/** Server-sent events, unless the client would rather have JSON lines. */
function stream(c: Context, options: Omit<FeedOptions, "format">): Response {
  const [lines, events] = ["application/x-ndjson", "text/event-stream"] as const;
  const format =
    prefers(c.req.raw, lines, { otherwise: events }) && !prefers(c.req.raw, events, { otherwise: lines })
      ? "ndjson"
      : "sse";
  const nobody = c.req.method === "HEAD" ? { ending: AbortSignal.abort("HEAD"), backlog: [] } : {};
  keepOpen(c.req.raw, c.env);
  return feed({ ...options, ...nobody, format });
}

function isStream(c: Context): boolean {
  return ["application/x-ndjson", "text/event-stream"].some((type) => prefers(c.req.raw, type));
}

const listOf = <T>(items: readonly T[]) => ({ items, cursor: null });

function answer(c: Context, content: object, status: 200 | 202 = 200): Response {
  return c.json(content, status, { "cache-control": "no-store" });
}

function notFound(detail: string): Response {
  return problem({ status: 404, title: "Not Found", detail });
}
