// The operations on the registry: who is where, and who comes and goes. It is the same for every tenant, and nobody writes it over
// HTTP.
import type { RegistryEntry, RegistryReader } from "../ports/registry.ts";
import type { PlaneLimits } from "./plane-limits.ts";
import { type Answer, type Call, type Operation, operation } from "./plane-operation.ts";
import { limitOf } from "./plane-queries.ts";
import { optional, z } from "./plane-schema-kit.ts";
import type { Events } from "./plane-tail.ts";
import { instancePage, instanceView } from "./plane-views.ts";

const DESCRIPTION =
  "By service, then by id. As a stream, the whole list each time it has changed: the ids of its events only count.";

export function registryOperations(limits: PlaneLimits): Operation[] {
  const query = z.strictObject({
    limit: limitOf(limits),
    cursor: optional(z.string(), "That of the page before. Not of a stream."),
  });
  type Query = z.output<typeof query>;
  const shared = {
    tag: "registry",
    method: "GET",
    description: DESCRIPTION,
    query,
    answers: { 200: instancePage },
    stream: { schema: instancePage, open: async (call: Call) => listsOf(call) },
    handle: (call: Call<Query>) => pageFor(call),
  } as const;
  return [
    operation({
      ...shared,
      id: "listInstances",
      path: "/registry",
      summary: "Lists the instances of all services.",
    }),
    operation({
      ...shared,
      id: "listInstancesOf",
      path: "/registry/{service}",
      summary: "Lists the instances of a service; none is an empty list.",
    }),
  ];
}

async function pageFor({
  registry,
  params,
  query,
}: Call<{ limit: number; cursor?: string }>): Promise<Answer> {
  const { limit, cursor } = query;
  const all = await registry.list(params["service"]);
  const rest = cursor === undefined ? all : all.filter((entry) => placeOf(entry) > cursor);
  const items = rest.slice(0, limit).map(instanceView);
  const last = rest.length > limit ? rest[limit - 1] : undefined;
  return { status: 200, content: { items, cursor: last ? placeOf(last) : null } };
}

/** Sorts as the list does: a comma is before everything that a name has. */
function placeOf({ service, instance }: RegistryEntry): string {
  return `${service},${instance}`;
}

function listsOf({ registry, params }: { registry: RegistryReader; params: Call["params"] }): Events {
  const service = params["service"];
  return async function* ({ signal }) {
    let id = 0;
    for await (const entries of registry.watch({ ...(service !== undefined && { service }), signal })) {
      yield { event: "registry", id: ++id, data: { items: entries.map(instanceView), cursor: null } };
    }
  };
}
