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
  refuseUnknown(
    names,
    services.map(({ name }) => name),
  );
  return { runtime, services: services.filter(({ name }) => names.length === 0 || names.includes(name)) };
}

export async function allServices(client: Client): Promise<ServiceView[]> {
  return (await client.ask<{ items: ServiceView[] }>("GET", "/api/v1/services")).body.items;
}

export function refuseUnknown(names: readonly string[], known: readonly string[]): void {
  const unknown = names.find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw new UsageError(`unknown service '${unknown}'${didYouMean(unknown, known)}`);
}
