// Who asks the plane, once that is known, and the answer to whoever is nobody. How it becomes known is auth.ts.
import type { Session } from "../ports/plane.ts";
import { problem } from "./problem.ts";

export interface Asker {
  tenant: string;
  roles: readonly string[];
  /** Only what the bearer of this session's token may. */
  session?: Session;
}

/** 401, by itself without a word about why. */
export function unauthorised(detail?: string): Response {
  return problem({
    status: 401,
    title: "Unauthorized",
    headers: { "www-authenticate": "Bearer" },
    ...(detail !== undefined && { detail }),
  });
}
