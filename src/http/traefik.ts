// `GET /traefik`, which Traefik's HTTP provider polls: the routes and the servers that are ready, with exactly 200, for Traefik takes
// nothing else. What it says is prepared elsewhere; here is only who may ask.
import { unauthorised } from "./asker.ts";
import { problem, unavailable } from "./problem.ts";
import { bearerOf, isSecret } from "./secret.ts";
import type { Fetch } from "./server.ts";
import { isOfThisMachine } from "./this-machine.ts";
import { messageOf } from "../errors.ts";

export interface TraefikOptions {
  /** Without one only this machine may ask. */
  token?: string;
  /** The dynamic configuration as JSON, the same bytes as long as it says the same. */
  document: () => string | Promise<string>;
}

const NOT_SET =
  "discovery.traefik.token is not set, so only loopback is served; set it, and have Traefik send it as Authorization: Bearer";

export function createTraefik({ token, document }: TraefikOptions): Fetch {
  return async (request, native) => {
    if (request.method !== "GET" && request.method !== "HEAD") return wrongMethod();
    const isKnown = token !== undefined && isSecret(bearerOf(request), token);
    if (!isKnown && !isOfThisMachine(request, native))
      return unauthorised(token === undefined ? NOT_SET : undefined);
    try {
      const body = request.method === "HEAD" ? null : await document();
      return new Response(body, {
        headers: { "content-type": "application/json", "cache-control": "no-store" },
      });
    } catch (error) {
      // Traefik goes on with what it knows.
      return unavailable(`cannot say what the routes are: ${messageOf(error)}`);
    }
  };
}

function wrongMethod(): Response {
  return problem({ status: 405, title: "Method Not Allowed", headers: { allow: "GET, HEAD" } });
}
