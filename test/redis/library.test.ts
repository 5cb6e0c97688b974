// `Orchestrator` over a store in Redis, which several processes share.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "../e2e/support/binary.ts";
import { JAVASCRIPT_RUNTIMES } from "../e2e/support/programs.ts";
import { haraka } from "../e2e/support/runtime.ts";
import { Orchestrator, Service, type StoreOption, z } from "../../src/mod.ts";
import { Sentinels } from "./sentinels.ts";
import { sharedRedis } from "./server.ts";

const log = { debug() {}, info() {}, warn() {}, error() {} };

for (const [name, words] of Object.entries(JAVASCRIPT_RUNTIMES)) {
  test(`a saga's sleep in Redis goes on in the next process under ${name}`, { timeout: 60_000 }, async () => {
    const { url } = await sharedRedis();
    const program = [...words, join(root, "test/fixtures/library/sleeper.ts")];
    const env = { STORE: `${url}/0?namespace=sleeper-${name}` };
    const first = await haraka({ program, args: [], env });
    assert.deepEqual(first, { code: 0, signal: null, stdout: "hello ann\nreserve\n", stderr: "" });
    const second = await haraka({ program, args: [], env });
    assert.deepEqual(second, { code: 0, signal: null, stdout: "charge\ncompleted\n", stderr: "" });
  });
}

/** One of two that share everything. */
class Shop extends Service {
  override name = "shop";
  greeted = Promise.withResolvers<string>();

  override startup(): void {
    this.runtime.intents.register("greet", { input: z.string() }, ({ input }) => {
      this.greeted.resolve(input);
      return `hello ${input}`;
    });
  }
}

async function running(store: StoreOption, advertise: string) {
  const shop = new Shop();
  const options = { store, log, exit: false, discovery: { advertise } };
  const orchestrator = new Orchestrator(options).use(shop, { port: 7001 });
  await orchestrator.run();
  return { shop, [Symbol.asyncDispose]: async () => void (await orchestrator.shutdown()) };
}

async function sharing(store: StoreOption): Promise<void> {
  await using one = await running(store, "10.0.0.1");
  await using other = await running(store, "10.0.0.2");
  const { id } = await one.shop.runtime.sessions.create({ user: "ann", context: { cart: 1 } });
  assert.deepEqual((await other.shop.runtime.sessions.get(id)).context, { cart: 1 });
  await other.shop.runtime.intents.submit({ type: "greet", session: id, payload: "ann" });
  assert.equal(await Promise.race([one.shop.greeted.promise, other.shop.greeted.promise]), "ann");
  for (const { shop } of [one, other]) {
    for await (const entries of shop.runtime.registry.watch({
      service: "shop",
      signal: shop.runtime.signal,
    })) {
      if (entries.filter(({ state }) => state === "ready").length < 2) continue;
      assert.deepEqual(entries.map(({ address, port }) => `${address}:${port}`).toSorted(), [
        "10.0.0.1:7001",
        "10.0.0.2:7001",
      ]);
      break;
    }
  }
}

test("two in code share sessions and executions, and find each other where they say they are", async () => {
  const { url } = await sharedRedis();
  await sharing(`${url}/0?namespace=code`);
  await sharing({ driver: "redis", url, namespace: "object", lease: { ttl: "2s" } });
});

test("in code, too, the master is the one that sentinels name", { timeout: 60_000 }, async () => {
  await using rig = await Sentinels.start();
  await sharing({ driver: "redis", sentinel: { master: "main", nodes: rig.urls }, replicas: 1 });
});

test("a store that may lose what it has acknowledged is refused, unless code says otherwise", async () => {
  const server = await sharedRedis();
  await server.command("CONFIG", "SET", "appendfsync", "everysec");
  try {
    const lax: StoreOption = { driver: "redis", url: server.url, namespace: "lax" };
    const refused = new Orchestrator({ store: lax, log, exit: false });
    await assert.rejects(refused.run(), { name: "StoreError", message: /appendfsync/ });
    await using _ = await running({ ...lax, checks: "warn" }, "10.0.0.1");
  } finally {
    await server.command("CONFIG", "SET", "appendfsync", "always");
  }
});
