// Where the runtime's own APIs lie, for those who stand in front of them. It knows no operation of any.
import { pathOf } from "./normalise.ts";
import type { Fetch } from "./server.ts";

/** Of the control API; all else under `/api/v1` is the plane's. */
export const CONTROL_PATHS = ["/api/v1/runtime", "/api/v1/services"] as const;

/** Where Traefik asks for the routes, if they are published. */
export const TRAEFIK_PATH = "/traefik";

/** What tells about the plane's API. */
export const DOCS_PATHS = ["/openapi.json", "/docs"] as const;

/** The control API and the plane behind one door that has no gate, as the control socket. */
export function besideControl(control: Fetch, plane: { api: Fetch; docs: Fetch }): Fetch {
  return (request, native) => {
    const path = pathOf(request);
    if (DOCS_PATHS.some((own) => path === own)) return plane.docs(request, native);
    const isPlane = path.startsWith("/api/v1/") && !CONTROL_PATHS.some((own) => isWithin(path, own));
    return (isPlane ? plane.api : control)(request, native);
  };
}

function isWithin(path: string, root: string): boolean {
  return path === root || path.startsWith(`${root}/`);
}
