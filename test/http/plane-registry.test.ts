// The registry over HTTP: all of it, that of one service, page by page, and as a stream of lists.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { RegistryEntry } from "../../src/ports/registry.ts";
import { eventsOf, planeRig } from "./plane-rig.ts";

const entry = (service: string, name: string, rest: Partial<RegistryEntry> = {}): RegistryEntry => {
  const there = { address: "10.0.0.1", port: 7001, tags: [], state: "ready" } as const;
  return { service, instance: `instance_${name}`, ...there, ...rest };
};

async function rig(entries: readonly RegistryEntry[]) {
  const made = planeRig();
  for (const one of entries) await made.registry.register(one);
  const ids = async (line: string) => {
    const { body } = await made.ask(line);
    return [body.items.map(({ id }: { id: string }) => id.replace("instance_", "")).join(), body.cursor];
  };
  return { ...made, ids };
}

test("the registry is listed, and that of one service, with nothing where there is none", async () => {
  const { ask, ids } = await rig([
    entry("stock", "a", { state: "draining", tags: ["x"], intents: ["order.place"] }),
    entry("api", "b"),
  ]);
  assert.deepEqual(await ids("GET /registry"), ["b,a", null]);
  const { body } = await ask("GET /registry/stock");
  assert.deepEqual(body, {
    items: [
      {
        id: "instance_a",
        service: "stock",
        address: "10.0.0.1",
        port: 7001,
        tags: ["x"],
        state: "draining",
        intents: ["order.place"],
      },
    ],
    cursor: null,
  });
  assert.deepEqual(await ids("GET /registry/none"), ["", null]);
});

test("a list of many comes page by page, each once", async () => {
  const services = ["a", "a-b", "a.b", "a0"];
  const { ids } = await rig(
    services.flatMap((service, index) => [entry(service, `${index}x`), entry(service, `${index}y`)]),
  );
  const seen: string[] = [];
  for (let cursor = ""; ;) {
    const [names, next] = await ids(
      `GET /registry?limit=3${cursor && `&cursor=${encodeURIComponent(cursor)}`}`,
    );
    seen.push(names);
    if (next === null) break;
    cursor = next;
  }
  assert.deepEqual(seen, ["0x,0y,1x", "1y,2x,2y", "3x,3y"]);
  assert.deepEqual(await ids("GET /registry?cursor=%25"), ["0x,0y,1x,1y,2x,2y,3x,3y", null]);
});

test("whoever may not use the plane may not read it, nor with a session's token", async () => {
  const { ask, session } = await rig([entry("api", "a")]);
  const { token } = await session();
  assert.equal((await ask("GET /registry", { headers: { "haraka-session": token } })).status, 403);
  assert.equal((await ask("GET /registry", { headers: { "x-forwarded-for": "10.0.0.9" } })).status, 401);
  assert.equal((await ask("GET /registry?after=1")).status, 422);
});

test("as a stream it is the whole list, again each time that it has changed", async () => {
  const { registry, request } = await rig([entry("api", "a"), entry("stock", "b")]);
  const response = await request("GET /registry/stock", { headers: { accept: "text/event-stream" } });
  const events = eventsOf(response);
  const next = async () => {
    const { id, event, data } = (await events.next()) ?? {};
    return [
      id,
      event,
      data.items.map((one: { id: string; state: string }) => `${one.id} ${one.state}`).join(),
    ];
  };
  assert.deepEqual(await next(), [1, "registry", "instance_b ready"]);
  await registry.register(entry("api", "a", { state: "draining" }));
  await registry.register(entry("stock", "b", { state: "draining" }));
  assert.deepEqual(await next(), [2, "registry", "instance_b draining"]);
  await registry.deregister("instance_b");
  assert.deepEqual(await next(), [3, "registry", ""]);
  await events.cancel();
});
