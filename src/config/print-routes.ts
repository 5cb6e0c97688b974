// Routes as they would be written, for `print.ts`.
import type { RouteConfig } from "./config.ts";
import type { RawMap } from "./path.ts";

export function routeDocument({ target, tls, ...route }: RouteConfig): RawMap {
  const { rule, entryPoints, priority, middlewares } = route;
  return {
    rule,
    entryPoints,
    priority,
    middlewares,
    tls: tls && (Object.keys(tls).length === 0 ? true : tls),
    port: target.type === "port" ? target.port : undefined,
    url: target.type === "url" ? target.url : undefined,
  };
}
