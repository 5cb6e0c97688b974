// What a runtime and its services are doing, as several verbs want it; a name that is no service is refused with the nearest one.
import { didYouMean } from "../config/did-you-mean.ts";
import { UsageError } from "../errors.ts";
import type { RuntimeView, ServiceView } from "../http/control-views.ts";
import type { Client } from "./client.ts";
import type { Picture } from "./status-table.ts";

/** Of all services, or those named. Throws `UsageError` for a name nobody has. */
export async function picture(client: Client, names: readonly string[] = []): Promise<Picture> {
  const { body: runtime } = await client.ask<RuntimeView>("GET", "/api/v1/runtime");
  const services = await allServices(client);
  if (names.length === 0) return { runtime, services };
  const wanted = resolveNames(names, services);
  return { runtime, services: services.filter(({ name }) => wanted.includes(name)) };
}

export async function allServices(client: Client): Promise<ServiceView[]> {
  return (await client.ask<{ items: ServiceView[] }>("GET", "/api/v1/services")).body.items;
}

/** Each name once, one that stands for replicas as theirs. Throws `UsageError` for a name nobody has. */
export function resolveNames(names: readonly string[], services: readonly ServiceView[]): string[] {
  const known = services.map(({ name }) => name);
  const resolved = names.flatMap((name) => {
    if (known.includes(name)) return [name];
    const replicas = services.filter(({ group }) => group === name).map((each) => each.name);
    if (replicas.length > 0) return replicas;
    throw new UsageError(`unknown service '${name}'${didYouMean(name, known)}`);
  });
  return [...new Set(resolved)];
}
