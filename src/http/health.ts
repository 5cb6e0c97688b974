// The health endpoints: which path asks what, and an answer from the current snapshot without asking anyone. A page is
// rendered once for each snapshot and kind of client, and stamped with the time at most once a millisecond. Only who wants to see
// the components has anything measured.
import type { Snapshot } from "../core/snapshot.ts";
import type { HealthSource } from "../ports/health-source.ts";
import { prefers } from "./accept.ts";
import { isLocal } from "./connection.ts";
import type { HttpGate } from "./gate.ts";
import { type Format, type Identity, type Page, type Probe, hasReasons, renderPage } from "./health-page.ts";
import { problem } from "./problem.ts";

/** The paths that are taken, and what each asks. */
export const HEALTH_PATHS: ReadonlyMap<string, Probe> = new Map([
  ["/health", "health"],
  ["/health/ready", "ready"],
  ["/readyz", "ready"],
  ["/health/live", "live"],
  ["/livez", "live"],
  ["/health/startup", "startup"],
  ["/startupz", "startup"],
]);

/** `?verbose`, with or without a value, among whatever else is asked. */
const VERBOSE = /[?&]verbose(?:[=&#]|$)/;

const MEDIA_TYPES: Readonly<Record<Format, string>> = {
  json: "application/json",
  draft: "application/health+json",
};

export interface HealthOptions extends Identity {
  health: HealthSource;
  /** Says whether to close connections, and wants to know who asks readiness. */
  gate: Pick<HttpGate, "closing"> & { watch: Pick<HttpGate["watch"], "asked"> };
  /** Everybody who can ask may know the reasons, as on the control socket. Default: only who asks from this machine. */
  trusting?: boolean;
}

/** `env` is what the server handed to `fetch`. Other methods than GET and HEAD get 405. */
export type HealthHandler = (request: Request, env: unknown) => Response | Promise<Response>;

/** Everything that stays the same from one answer to the next while the snapshot does. */
interface Prepared {
  page: Page;
  init: ResponseInit & { headers: Headers };
  closingInit: ResponseInit & { headers: Headers };
  stampedAtMs: number;
  body: string;
}

/** The answers to one probe, each prepared when it is first asked for. */
type Answers = Partial<Record<Format | "jsonWithoutReasons" | "draftWithoutReasons", Prepared>>;

/** What is ready to be said about a snapshot. */
interface Pages extends Record<Probe, Answers> {
  reasoned: boolean;
}

const bytes = new TextEncoder();

/** One handler for each probe. */
export function createHealth({
  health,
  gate,
  trusting = false,
  ...identity
}: HealthOptions): Record<Probe, HealthHandler> {
  const about = new WeakMap<Snapshot, Pages>();

  function prepare(
    snapshot: Snapshot,
    options: { probe: Probe; format: Format; withoutReasons: boolean },
  ): Prepared {
    const page = renderPage(snapshot, { ...identity, ...options });
    const type = MEDIA_TYPES[options.format];
    return {
      page,
      init: initOf(page, type),
      closingInit: initOf(page, type, "close"),
      stampedAtMs: 0,
      body: "",
    };
  }

  function stamp(answer: Prepared, nowMs: number): void {
    const timestamp = new Date(nowMs).toISOString();
    answer.body = answer.page.body({ uptimeMs: Math.round(health.uptimeMs()), timestamp });
    answer.stampedAtMs = nowMs;
  }

  const handlerOf =
    (probe: Probe): HealthHandler =>
    (request, env) => {
      const { method } = request;
      if (method !== "GET" && method !== "HEAD") return methodNotAllowed(method);
      if (probe === "ready") gate.watch.asked(request, env);
      const format = prefers(request, MEDIA_TYPES.draft) ? "draft" : "json";
      const isWhole = probe === "health" || format === "draft";
      const snapshot = (isWhole && health.measured?.()) || health.snapshot();
      const pages = about.get(snapshot) ?? noPages(about, snapshot);
      const guarded = pages.reasoned || isWhole;
      // Asking for the peer costs more than the whole answer, so only when there is something to hide.
      const withoutReasons = guarded && !trusting && !isLocal(request, env);
      const kind = withoutReasons ? (`${format}WithoutReasons` as const) : format;
      const answer = (pages[probe][kind] ??= prepare(snapshot, { probe, format, withoutReasons }));
      const nowMs = Date.now();
      if (nowMs !== answer.stampedAtMs) stamp(answer, nowMs);
      const init = gate.closing ? answer.closingInit : answer.init;
      const isVerbose = isWhole && format === "json" && VERBOSE.test(request.url);
      if (isVerbose && (trusting || isLocal(request, env)))
        return verbose(answer.body, { method, init, health });
      return method === "HEAD" ? headOf(answer.body, init) : new Response(answer.body, init);
    };
  return {
    health: handlerOf("health"),
    ready: handlerOf("ready"),
    live: handlerOf("live"),
    startup: handlerOf("startup"),
  };
}

interface VerboseOptions extends Pick<Prepared, "init"> {
  method: string;
  health: HealthSource;
}

/** With the container's limits, and how late the event loop is, measured by waiting for its next turn. */
async function verbose(body: string, { method, init, health }: VerboseOptions): Promise<Response> {
  const askedMs = performance.now();
  await new Promise((resolve) => setTimeout(resolve));
  const lagMs = Math.round((performance.now() - askedMs) * 10) / 10;
  const details = { limits: health.limits?.() ?? {}, eventLoop: { lagMs } };
  const whole = `${body.slice(0, -1)},${JSON.stringify(details).slice(1)}`;
  return method === "HEAD" ? headOf(whole, init) : new Response(whole, init);
}

/** What the answer would be: without content the server has nothing to count. */
function headOf(body: string, init: Prepared["init"]): Response {
  const headers = new Headers(init.headers);
  headers.set("content-length", String(bytes.encode(body).length));
  return new Response(null, { ...init, headers });
}

function noPages(about: WeakMap<Snapshot, Pages>, snapshot: Snapshot): Pages {
  const pages = { reasoned: hasReasons(snapshot), health: {}, ready: {}, live: {}, startup: {} };
  about.set(snapshot, pages);
  return pages;
}

/** A ready `Headers` object is cheaper for every response than a plain one. */
function initOf({ status }: Page, contentType: string, connection?: "close"): Prepared["init"] {
  const headers = new Headers({ "content-type": contentType, "cache-control": "no-store" });
  if (connection !== undefined) headers.set("connection", connection);
  return { status, headers };
}

function methodNotAllowed(method: string): Response {
  return problem({
    status: 405,
    title: "Method Not Allowed",
    detail: `cannot ${method} a health endpoint: use GET or HEAD`,
    headers: { allow: "GET, HEAD" },
  });
}
