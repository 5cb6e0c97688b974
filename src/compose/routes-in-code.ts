// The routes of services that are registered in code: what they add is checked, and looked up, as where a config publishes them. Needs no
// `node:`, and is made when the first service asks for it.
import { Routing } from "../discovery/routing.ts";
import type { Routes } from "../ports/routing.ts";
import type { Supervisor } from "../runtime/supervisor.ts";

export function routesInCode(supervisor: Supervisor): (service: string, signal: AbortSignal) => Routes {
  let routing: Routing | undefined;
  return (service, signal) => (routing ??= open(supervisor)).slice(service, signal);
}

function open(supervisor: Supervisor): Routing {
  const names = () => Object.keys(supervisor.snapshot().components);
  return new Routing({
    namespace: "haraka",
    publisher: "code",
    services: () => names().map((name) => ({ name, group: name, routes: [] })),
    snapshot: () => supervisor.snapshot(),
    address: "127.0.0.1",
    httpPort: () => undefined,
  });
}
