// The door of the control API on TCP: a bearer token, and a Host and Origin that are this runtime's own, so that no web page
// can reach it through a name that it points here. It knows no routes.
import type { Fetch } from "./server.ts";
import { problem } from "./problem.ts";

export interface GuardOptions {
  token: string;
  /** Whether a name or address, IPv6 without brackets, is this runtime's. Loopback is, whatever it says. */
  isOwnHost(name: string): boolean;
}

/** `fetch` for those who may. Wrong or no token: 401, and nothing about why. Foreign Host or Origin: 403. */
export function guarded(fetch: Fetch, { token, isOwnHost }: GuardOptions): Fetch {
  const expected = new TextEncoder().encode(token);
  return (request, native) => {
    const { headers } = request;
    const given = /^bearer +(.*)$/i.exec(headers.get("authorization") ?? "")?.[1] ?? "";
    if (!isEqual(new TextEncoder().encode(given), expected)) return unauthorised();
    const host = headers.get("host");
    if (host !== null && !isOwn(hostnameOf(host), isOwnHost)) {
      return forbidden(`cannot serve Host "${host}": it is not this runtime's; use localhost or http.host`);
    }
    const origin = headers.get("origin");
    if (origin !== null && !isSameOrigin(origin, host)) {
      return forbidden(`cannot serve Origin "${origin}": it is not this runtime's`);
    }
    return fetch(request, native);
  };
}

/** Takes as long for every secret; how long depends only on what was given. */
function isEqual(given: Uint8Array, expected: Uint8Array): boolean {
  let difference = given.length ^ expected.length;
  for (const [index, byte] of given.entries()) difference |= byte ^ (expected[index % expected.length] ?? 0);
  return difference === 0;
}

function isOwn(name: string, isOwnHost: GuardOptions["isOwnHost"]): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|::1)$/.test(name) || isOwnHost(name);
}

/** Without port and brackets, in small letters. */
function hostnameOf(host: string): string {
  return host
    .toLowerCase()
    .replace(/:\d*$/, "")
    .replace(/^\[(.*)\]$/, "$1");
}

/** The scheme may differ: in front of the runtime may be a proxy that speaks TLS. */
function isSameOrigin(origin: string, host: string | null): boolean {
  return host !== null && /^https?:\/\/(.+)$/.exec(origin.toLowerCase())?.[1] === host.toLowerCase();
}

function unauthorised(): Response {
  return problem({ status: 401, title: "Unauthorized", headers: { "www-authenticate": "Bearer" } });
}

function forbidden(detail: string): Response {
  return problem({ status: 403, title: "Forbidden", detail });
}
