// Whether a request was made by a program on this machine, and not by a web page that it shows or on behalf of somebody else: who has
// no credential is served then. It knows no credentials.
import { isLoopbackPeer, isPassedOn } from "./connection.ts";
import { hostnameOf, isLoopbackName, isSameOrigin } from "./own-host.ts";

export function isOfThisMachine(request: Request, env: unknown): boolean {
  const host = request.headers.get("host");
  const origin = request.headers.get("origin");
  return (
    isLoopbackPeer(request, env) &&
    host !== null &&
    isLoopbackName(hostnameOf(host)) &&
    (origin === null || isSameOrigin(origin, host)) &&
    !isPassedOn(request)
  );
}
