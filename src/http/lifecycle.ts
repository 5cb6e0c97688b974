// The runtime in front of one's own Hono app: health is answered, everything else is counted, and refused with 503 once the
// runtime stops. For an app whose server belongs to the user; it adds no other route and changes no other answer.
import type { MiddlewareHandler } from "hono";
import type { HealthSource } from "../ports/health-source.ts";
import type { Identity } from "./health-page.ts";
import type { HttpGate } from "./gate.ts";
import { HEALTH_PATHS, createHealth } from "./health.ts";
import { pathOf } from "./normalise.ts";

export interface LifecycleOptions extends Identity {
  health: HealthSource;
  gate: HttpGate;
}

/** For `app.use(…)`, before any route. Requests pass the gate, health does not. */
export function lifecycleMiddleware({ gate, ...options }: LifecycleOptions): MiddlewareHandler {
  const answers = createHealth({ ...options, gate });
  return async (c, next) => {
    // The app's own `getPath` does not know relative urls.
    const probe = HEALTH_PATHS.get(pathOf(c.req.raw));
    if (probe !== undefined) return answers[probe](c.req.raw, c.env);
    const response = await gate.pass(c, async () => {
      await next();
      return c.res;
    });
    // Hono merges headers into a response that replaces another; unset, it is taken as it is.
    c.res = undefined;
    c.res = response;
    return response;
  };
}
