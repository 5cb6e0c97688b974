// The plane over HTTP: a route for each operation, and around it what all have in common: who asks, what they may, what they say,
// and the answers to what cannot be done. It decides nothing that the port does not say.
import { Hono, type Context } from "hono";
import { messageOf, stackOf } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";
import type { Plane } from "../ports/plane.ts";
import type { RegistryReader } from "../ports/registry.ts";
import { prefers } from "./accept.ts";
import type { Asker } from "./asker.ts";
import { type AuthOptions, createAuth } from "./auth.ts";
import { keepOpen } from "./connection.ts";
import { pathOf } from "./normalise.ts";
import { readJson } from "./plane-body.ts";
import { type Condition, conditionOf, isKnown, tagOf } from "./plane-conditions.ts";
import { type InputProblem, read, Refusal, refuse } from "./plane-input.ts";
import type { PlaneLimits } from "./plane-limits.ts";
import type { Answer, Call, Method, Operation } from "./plane-operation.ts";
import { operationsOf } from "./plane-operations.ts";
import { answerTo, forbidden, notFound } from "./plane-problems.ts";
import { sequence } from "./plane-queries.ts";
import { name } from "./plane-schema-kit.ts";
import { noTail, tail } from "./plane-tail.ts";
import { problem, unavailable } from "./problem.ts";

export interface PlaneApiOptions extends Omit<AuthOptions, "keyBytesMax"> {
  clock: Clock;
  /** `undefined` until it is there. */
  plane: () => Plane | undefined;
  registry: RegistryReader;
  limits: PlaneLimits;
  /** Aborts when streams should end and who waits should be answered. */
  ending: AbortSignal;
}

const ROOT = "/api/v1";

/** Answers everything under `/api/v1`. */
export function createPlaneApi(options: PlaneApiOptions): Hono {
  const { limits, log } = options;
  const app = new Hono({ getPath: pathOf });
  const operations = operationsOf(limits);
  const door = new Door(options);
  for (const operation of operations) {
    app.on(operation.method, routeOf(operation), async (c) => {
      try {
        return await door.answer(operation, c);
      } catch (error) {
        return answerTo(error) ?? failed(c, error);
      }
    });
  }
  for (const path of new Set(operations.map(routeOf))) {
    const methods = operations.filter((operation) => routeOf(operation) === path).map(({ method }) => method);
    app.all(path, (c) => wrongMethod(c, methods));
  }
  app.notFound((c) =>
    problem({
      status: 404,
      title: "Not Found",
      detail: `cannot find ${c.req.path}: no operation has this path; /docs lists them`,
    }),
  );
  return app;

  function failed(c: Context, error: unknown): Response {
    const detail = `cannot answer ${c.req.method} ${c.req.path}`;
    log.error(`${detail}: ${messageOf(error)}`, { stack: stackOf(error) });
    return problem({ status: 500, title: "Internal Server Error", detail: `${detail}: the log says why` });
  }
}

/** `/api/v1/sessions/:id`. */
function routeOf({ path }: Operation): string {
  return ROOT + path.replace(/\{(\w+)\}/g, ":$1");
}

function wrongMethod(c: Context, methods: readonly Method[]): Response {
  const all = methods.flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method]));
  const allow = all.join(", ");
  const detail = `cannot ${c.req.method} ${c.req.path}: use ${all.join(" or ")}`;
  return problem({ status: 405, title: "Method Not Allowed", detail, headers: { allow } });
}

/** What stands between a request and its operation. */
class Door {
  readonly #options: PlaneApiOptions;
  readonly #authenticate: ReturnType<typeof createAuth>;
  /** Of what is named in paths and headers. */
  readonly #name: ReturnType<typeof name>;

  constructor(options: PlaneApiOptions) {
    this.#options = options;
    this.#authenticate = createAuth({ ...options, ...options.limits });
    this.#name = name(options.limits);
  }

  async answer(operation: Operation, c: Context): Promise<Response> {
    const plane = this.#options.plane();
    if (plane === undefined) return unavailable("cannot answer: the plane is starting; try again");
    const asker = await this.#authenticate(c.req.raw, c.env, plane);
    if (asker instanceof Response) return asker;
    const refusal = refusalOf(operation, asker);
    if (refusal) return refusal;
    const call = await this.#read(operation, { request: c.req.raw, asker, plane });
    const { stream } = operation;
    if (stream && prefers(c.req.raw, "text/event-stream")) {
      return this.#stream(c, { after: afterOf(c.req.raw, call), events: await stream.open(call) });
    }
    if (operation.waits) keepOpen(c.req.raw, c.env);
    return responseOf(await operation.handle(call));
  }

  #stream(
    c: Context,
    { after, events }: { after: number | undefined; events: Parameters<typeof tail>[0] },
  ): Response {
    if (c.req.method === "HEAD") return noTail();
    keepOpen(c.req.raw, c.env);
    const { clock, ending, log } = this.#options;
    const onFailure = (error: unknown) => log.error(`cannot go on with ${c.req.path}: ${messageOf(error)}`);
    return tail(events, { after, clock, ending, onFailure });
  }

  /** Everything that the request says. Throws `Refusal` with all that is wrong with it. */
  async #read(
    { path, query, body, headers = [], waits }: Operation,
    { request, asker, plane }: { request: Request; asker: Asker; plane: Plane },
  ): Promise<Call> {
    const problems: InputProblem[] = [];
    const params = this.#params(path, request, problems);
    const queryRead = query ? read(query, queryOf(request), problems) : refuseQuery(request, problems);
    const condition: Condition = headers.includes("If-Match")
      ? conditionOf(request.headers, problems)
      : { kind: "none" };
    const idempotencyKey = headers.includes("Idempotency-Key")
      ? this.#header(request, { name: "Idempotency-Key", problems })
      : undefined;
    const json = body ? await readJson(request, this.#options.limits.bodyBytesMax) : undefined;
    const bodyRead = body && read(body, json, problems);
    refuse(problems);
    const { ending, registry } = this.#options;
    return {
      plane: plane.tenant(asker.tenant),
      registry,
      asker,
      params,
      query: queryRead,
      body: bodyRead,
      condition,
      isKnown: (version) => isKnown(request.headers, version),
      ...(idempotencyKey !== undefined && { idempotencyKey }),
      ending: waits ? AbortSignal.any([ending, request.signal]) : ending,
    };
  }

  /** Of what the path names. Nothing has an id that cannot be one. */
  #params(path: string, request: Request, problems: InputProblem[]): Record<string, string> {
    const segments = rawPathOf(request.url).split("/");
    const entries = `${ROOT}${path}`.split("/").flatMap((pattern, index) => {
      const key = /^\{(\w+)\}$/.exec(pattern)?.[1];
      if (key === undefined) return [];
      const given = decode(segments[index] ?? "");
      const wrong: InputProblem[] = [];
      const value = given === undefined ? undefined : read(this.#name, given, wrong);
      if (value !== undefined) return [[key, value] as const];
      if (key === "id") throw new Refusal(notFound());
      const message = wrong[0]?.message ?? "expected percent-encoded UTF-8";
      problems.push({ path: key, message });
      return [];
    });
    return Object.fromEntries(entries);
  }

  #header(
    request: Request,
    { name, problems }: { name: string; problems: InputProblem[] },
  ): string | undefined {
    const given = request.headers.get(name);
    if (given === null) return undefined;
    const wrong: InputProblem[] = [];
    const value = read(this.#name, given, wrong);
    problems.push(...wrong.map(({ message }) => ({ path: name, message })));
    return value;
  }
}

function refusalOf({ role, bySession }: Operation, { roles, session }: Asker): Response | undefined {
  if (session && !bySession)
    return forbidden(
      "cannot do this with a session's token: it is for reading that session and submitting in it",
    );
  return role === undefined || roles.includes(role)
    ? undefined
    : forbidden(`cannot do this without the role ${role}`);
}

/** What the client has seen last goes before what its URL says, which stays the same when it comes again. */
function afterOf(request: Request, { query }: Call): number | undefined {
  const problems: InputProblem[] = [];
  const seen = request.headers.get("last-event-id");
  const last = seen === null || seen === "" ? undefined : read(sequence, seen, problems);
  refuse(problems.map(({ message }) => ({ path: "Last-Event-ID", message })));
  return last ?? (query as { after?: number }).after;
}

function queryOf(request: Request): Record<string, string | string[]> {
  const search = new URLSearchParams(/\?([^#]*)/.exec(request.url)?.[1] ?? "");
  return Object.fromEntries(
    [...new Set(search.keys())].map((key) => {
      const [first = "", ...more] = search.getAll(key);
      return [key, more.length === 0 ? first : [first, ...more]];
    }),
  );
}

function refuseQuery(request: Request, problems: InputProblem[]): void {
  for (const key of Object.keys(queryOf(request)))
    problems.push({ path: key.slice(0, 100), message: "unknown" });
}

/** As it was sent: not decoded, and without dots resolved. */
function rawPathOf(url: string): string {
  return url.replace(/^[a-z+.-]+:\/\/[^/?#]*/i, "").replace(/[?#].*$/s, "");
}

function decode(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}

function responseOf({ status, content, version, location }: Answer): Response {
  const headers = new Headers({ "cache-control": "no-store" });
  if (content) headers.set("content-type", "application/json");
  if (version !== undefined) headers.set("etag", tagOf(version));
  if (location !== undefined) headers.set("location", `${ROOT}${location}`);
  return new Response(content && JSON.stringify(content), { status, headers });
}
