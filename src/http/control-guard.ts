// The door of the control API on TCP: a bearer token, and a Host and Origin that are this runtime's own, so that no web page
// can reach it through a name that it points here. It knows no routes.
import type { Fetch } from "./server.ts";
import { hostnameOf, isLoopbackName, isSameOrigin } from "./own-host.ts";
import { problem } from "./problem.ts";
import { bearerOf, isSecret } from "./secret.ts";

export interface GuardOptions {
  token: string;
  /** Whether a name or address, IPv6 without brackets, is this runtime's. Loopback is, whatever it says. */
  isOwnHost(name: string): boolean;
}

/** `fetch` for those who may. Wrong or no token: 401, and nothing about why. Foreign Host or Origin: 403. */
export function guarded(fetch: Fetch, { token, isOwnHost }: GuardOptions): Fetch {
  return (request, native) => {
    const { headers } = request;
    if (!isSecret(bearerOf(request), token)) return unauthorised();
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

function isOwn(name: string, isOwnHost: GuardOptions["isOwnHost"]): boolean {
  return isLoopbackName(name) || isOwnHost(name);
}

function unauthorised(): Response {
  return problem({ status: 401, title: "Unauthorized", headers: { "www-authenticate": "Bearer" } });
}

function forbidden(detail: string): Response {
  return problem({ status: 403, title: "Forbidden", detail });
}
