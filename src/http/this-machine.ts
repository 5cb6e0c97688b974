// Whether a request was made by a program on this machine, and not by a web page that it shows or on behalf of somebody else: who has
// no credential is served then. It knows no credentials.
import { isLoopbackPeer } from "./connection.ts";
import { hostnameOf, isLoopbackName, isSameOrigin } from "./own-host.ts";

const FORWARDED = /^(forwarded|via|x-forwarded-.*)$/;

export function isOfThisMachine(request: Request, env: unknown): boolean {
  const host = request.headers.get("host");
  const origin = request.headers.get("origin");
  return (
    isLoopbackPeer(request, env) &&
    host !== null &&
    isLoopbackName(hostnameOf(host)) &&
    (origin === null || isSameOrigin(origin, host)) &&
    ![...request.headers.keys()].some((header) => FORWARDED.test(header))
  );
}
