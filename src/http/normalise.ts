// Mends what a server may hand over before Hono sees it: Bun gives a relative `url` for HTTP/1.0 without Host, which Hono
// would misroute, and probes are configured with doubled or trailing slashes. Changes no other path.
import { getPath } from "hono/utils/url";
import { HEALTH_PATHS } from "./health.ts";

const SLASH = 47;

/** Hono's `getPath`: the decoded path without query, also of a relative url; `//health` and `/health/` are `/health`. */
export function pathOf(request: Request): string {
  const { url } = request;
  const path = url.charCodeAt(0) === SLASH ? getPath({ url: absoluteUrl(url) } as Request) : getPath(request);
  return path.charCodeAt(1) === SLASH || path.charCodeAt(path.length - 1) === SLASH
    ? healthAlias(path)
    : path;
}

/** The request with an absolute url, as handlers expect it; the same object when it has one. */
export function absolute(request: Request): Request {
  const { url } = request;
  return url.charCodeAt(0) === SLASH ? new Request(absoluteUrl(url), request) : request;
}

function absoluteUrl(path: string): string {
  return `http://localhost${path}`;
}

function healthAlias(path: string): string {
  const plain = path.replace(/\/{2,}/g, "/").replace(/\/$/, "");
  return HEALTH_PATHS.has(plain) ? plain : path;
}
