// The health endpoints: which path asks what, and an answer from the current snapshot without asking anyone. A page is
// rendered once for each snapshot and kind of client, and stamped with the time at most once a millisecond.
import type { HealthSource } from "../ports/health-source.ts";
import { isLocal } from "./connection.ts";
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

const MEDIA_TYPES: Readonly<Record<Format, string>> = {
  json: "application/json",
  draft: "application/health+json",
};

export interface HealthOptions extends Identity {
  health: HealthSource;
  /** Answers should carry `Connection: close`. */
  isClosing: () => boolean;
}

/** `env` is what the server handed to `fetch`. Other methods than GET and HEAD get 405. */
export type HealthHandler = (request: Request, options: { probe: Probe; env: unknown }) => Response;

/** Everything that stays the same from one answer to the next while the snapshot does. */
interface Prepared {
  page: Page;
  init: ResponseInit;
  closingInit: ResponseInit;
  stampedAtMs: number;
  body: string;
}

export function createHealth({ health, isClosing, ...identity }: HealthOptions): HealthHandler {
  let current = health.snapshot();
  let guarded = hasReasons(current);
  let prepared = new Map<string, Prepared>();

  function prepare(key: string, kind: { probe: Probe; format: Format; withoutReasons: boolean }): Prepared {
    const page = renderPage(current, { ...identity, ...kind });
    const type = MEDIA_TYPES[kind.format];
    const made = {
      page,
      init: initOf(page, type),
      closingInit: initOf(page, type, "close"),
      stampedAtMs: 0,
      body: "",
    };
    prepared.set(key, made);
    return made;
  }

  return (request, { probe, env }) => {
    if (request.method !== "GET" && request.method !== "HEAD") return methodNotAllowed(request.method);
    const snapshot = health.snapshot();
    if (snapshot !== current) {
      current = snapshot;
      guarded = hasReasons(snapshot);
      prepared = new Map();
    }
    const format = request.headers.get("accept")?.includes(MEDIA_TYPES.draft) ? "draft" : "json";
    // Asking for the peer costs more than the whole answer, so only when there is something to hide.
    const withoutReasons = guarded && !isLocal(request, env);
    const key = `${probe} ${format} ${withoutReasons}`;
    const answer = prepared.get(key) ?? prepare(key, { probe, format, withoutReasons });
    const nowMs = Date.now();
    if (nowMs !== answer.stampedAtMs) {
      const timestamp = new Date(nowMs).toISOString();
      answer.body = answer.page.body({ uptimeMs: Math.round(health.uptimeMs()), timestamp });
      answer.stampedAtMs = nowMs;
    }
    return new Response(answer.body, isClosing() ? answer.closingInit : answer.init);
  };
}

/** A ready `Headers` object is cheaper for every response than a plain one. */
function initOf({ status }: Page, contentType: string, connection?: "close"): ResponseInit {
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
