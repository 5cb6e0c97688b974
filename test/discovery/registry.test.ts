// The registry of one runtime, and that of several on a store they share: who is found, who is not any more, and what a store that is
// lost for a while changes.
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { testClock } from "../../src/compose/testing.ts";
import { RuntimeRegistry } from "../../src/discovery/registry.ts";
import { StoreError, UnreachableError } from "../../src/errors.ts";
import type { RegistryReader } from "../../src/ports/registry.ts";
import { SYSTEM_TENANT } from "../../src/ports/store.ts";
import { entry, HEARTBEAT_MS, namesOf, sharedRig, TTL_MS } from "./rig.ts";

const alone = () => new RuntimeRegistry({ clock: testClock(), random: () => 0 });
const resolved = async (registry: RegistryReader, ...args: Parameters<RegistryReader["resolve"]>) =>
  (await registry.resolve(...args)).instance.replace("instance_", "");

suite("the registry of one runtime", () => {
  test("gives each that is ready in its turn, and no other", async () => {
    const registry = alone();
    for (const name of ["b", "a", "c"]) await registry.register(entry("api", name));
    await registry.register(entry("api", "d", { state: "starting" }));
    await registry.register(entry("api", "e", { state: "draining" }));
    await registry.register(entry("other", "f"));
    const turns: string[] = [];
    for (let turn = 0; turn < 6; turn++) turns.push(await resolved(registry, "api"));
    assert.deepEqual(turns, ["a", "b", "c", "a", "b", "c"]);
    assert.equal(await resolved(registry, "other"), "f");
    const except = new Set(["instance_a", "instance_c"]);
    assert.equal(await resolved(registry, "api", { except }), "b");
    assert.deepEqual(namesOf(await registry.list("api")), [
      "a ready",
      "b ready",
      "c ready",
      "d starting",
      "e draining",
    ]);
    assert.equal((await registry.list()).length, 6);
  });

  test("says why nobody is found", async () => {
    const registry = alone();
    await assert.rejects(
      registry.resolve("api"),
      new UnreachableError("cannot reach 'api': no service of that name is in the registry"),
    );
    await registry.register(entry("api", "a", { state: "starting" }));
    await assert.rejects(
      registry.resolve("api"),
      new UnreachableError(
        "cannot reach 'api': no instance is ready that was not tried (instance_a is starting)",
      ),
    );
    await assert.rejects(
      registry.resolve({ intent: "order.place" }),
      new UnreachableError(
        "cannot reach who handles the intent 'order.place': no service that does is in the registry",
      ),
    );
  });

  test("finds who handles an intent, whatever it is called", async () => {
    const registry = alone();
    await registry.register(entry("api", "a", { intents: ["order.place", "order.cancel"] }));
    await registry.register(entry("worker", "b", { intents: ["order.place"] }));
    const target = { intent: "order.place" };
    assert.deepEqual([await resolved(registry, target), await resolved(registry, target)], ["a", "b"]);
    assert.equal(await resolved(registry, { intent: "order.cancel" }), "a");
  });

  test("a watcher sees the list as it is and each change of what it asked for, until it has enough", async () => {
    const registry = alone();
    await registry.register(entry("api", "a", { state: "starting" }));
    const stop = new AbortController();
    const lists = registry.watch({ service: "api", signal: stop.signal });
    const next = async () => {
      const { value, done } = await lists.next();
      return done ? "the end" : namesOf(value);
    };
    assert.deepEqual(await next(), ["a starting"]);
    await registry.register(entry("other", "x"));
    await registry.register(entry("api", "a", { state: "starting" }));
    const changed = next();
    await registry.register(entry("api", "a"));
    assert.deepEqual(await changed, ["a ready"]);
    await registry.register(entry("api", "a", { state: "draining" }));
    await registry.deregister("instance_a");
    await registry.deregister("instance_a");
    assert.deepEqual(await next(), []);
    const ended = next();
    stop.abort();
    assert.equal(await ended, "the end");
  });
});

suite("registries on one store", () => {
  test("each finds what the others have said, once they have said it", async () => {
    await using rig = await sharedRig();
    const [one, other] = [rig.runtime(), rig.runtime()];
    await one.register(entry("api", "a"));
    await other.register(entry("api", "b", { address: "fd00::5", port: 9, tags: ["x"], intents: ["i"] }));
    assert.deepEqual(await one.list(), await other.list());
    assert.deepEqual(await one.list(), [
      entry("api", "a"),
      entry("api", "b", { address: "fd00::5", port: 9, tags: ["x"], intents: ["i"] }),
    ]);
    assert.deepEqual([await resolved(one, "api"), await resolved(one, "api")], ["a", "b"]);
    await other.register(entry("api", "b", { state: "draining" }));
    await one.list();
    assert.deepEqual([await resolved(one, "api"), await resolved(one, "api")], ["a", "a"]);
    await other.deregister("instance_b");
    assert.deepEqual(namesOf(await one.list()), ["a ready"]);
  });

  test("one that comes when nobody was there is found without a hint", async () => {
    await using rig = await sharedRig();
    const [one, other] = [rig.runtime({ silent: true }), rig.runtime()];
    await assert.rejects(one.resolve("api"), UnreachableError);
    await other.register(entry("api", "b"));
    assert.equal(await resolved(one, "api"), "b");
  });

  test("heartbeats keep what is there, and without them it is gone within its time", async () => {
    await using rig = await sharedRig();
    const [one, other] = [rig.runtime(), rig.runtime()];
    await one.register(entry("api", "a"));
    await other.register(entry("api", "b"));
    await rig.clock.advance(10 * TTL_MS);
    assert.deepEqual(namesOf(await one.list()), ["a ready", "b ready"]);
    // As SIGKILL does it.
    other.close();
    await rig.clock.advance(TTL_MS - HEARTBEAT_MS - 1);
    assert.deepEqual(namesOf(await one.list()), ["a ready", "b ready"]);
    await rig.clock.advance(HEARTBEAT_MS + 1);
    assert.deepEqual([await resolved(one, "api"), await resolved(one, "api")], ["a", "a"]);
    assert.deepEqual(namesOf(await one.list()), ["a ready"]);
  });

  test("who watches sees one go that only expires, also while the store is lost", async () => {
    await using rig = await sharedRig();
    let isLost = false;
    const [one, other] = [rig.runtime({ lost: () => isLost }), rig.runtime()];
    await other.register(entry("api", "b"));
    const stop = new AbortController();
    const lists = one.watch({ signal: stop.signal });
    assert.deepEqual(namesOf((await lists.next()).value ?? []), ["b ready"]);
    const next = lists.next();
    other.close();
    isLost = true;
    await rig.clock.advance(TTL_MS);
    assert.deepEqual(namesOf((await next).value ?? []), []);
    stop.abort();
    assert.equal((await lists.next()).done, true);
  });

  test("a store that is lost stops nothing: the heartbeats go on, and say everything again", async () => {
    await using rig = await sharedRig();
    let isLost = false;
    const [one, other] = [rig.runtime({ lost: () => isLost }), rig.runtime()];
    await one.register(entry("api", "a"));
    isLost = true;
    await assert.rejects(one.register(entry("api", "a", { port: 9 })), StoreError);
    assert.equal(one.trouble, "cannot reach the store");
    assert.equal(await resolved(one, "api"), "a");
    await rig.clock.advance(TTL_MS);
    assert.deepEqual(await other.list(), []);
    isLost = false;
    await rig.clock.advance(HEARTBEAT_MS);
    assert.deepEqual(await other.list(), [entry("api", "a", { port: 9 })]);
    assert.equal(one.trouble, undefined);
    assert.deepEqual(one.troubles, ["cannot reach the store", undefined]);
  });

  test("what was to be taken out while the store was lost is taken out afterwards", async () => {
    await using rig = await sharedRig();
    let isLost = false;
    const [one, other] = [rig.runtime({ lost: () => isLost }), rig.runtime()];
    await one.register(entry("api", "a"));
    isLost = true;
    await assert.rejects(one.deregister("instance_a"), StoreError);
    isLost = false;
    await rig.clock.advance(HEARTBEAT_MS);
    assert.deepEqual(await other.list(), []);
    assert.deepEqual(await one.list(), []);
  });

  test("what was written without a word is taken out like the rest", async () => {
    await using rig = await sharedRig();
    let isDeaf = false;
    const [one, other] = [rig.runtime({ deaf: () => isDeaf }), rig.runtime()];
    // After the first it knows the store's time, and asks for it no more.
    await one.register(entry("api", "a"));
    isDeaf = true;
    await assert.rejects(one.register(entry("api", "b")), StoreError);
    isDeaf = false;
    assert.deepEqual(namesOf(await other.list()), ["a ready", "b ready"]);
    await one.deregister("instance_b");
    assert.deepEqual(namesOf(await other.list()), ["a ready"]);
  });

  test("who watches leaves nothing behind", async () => {
    await using rig = await sharedRig();
    const one = rig.runtime();
    const stop = new AbortController();
    for await (const _ of one.watch({ signal: stop.signal })) {
      assert.equal(rig.timers.size, 1);
      stop.abort();
    }
    assert.equal(rig.timers.size, 0);
  });

  test("what somebody else has taken out is there again with the next heartbeat", async () => {
    await using rig = await sharedRig();
    const [one, other] = [rig.runtime(), rig.runtime()];
    await one.register(entry("api", "a"));
    const { items } = await rig.store.scan(SYSTEM_TENANT, { prefix: "", limit: 9 });
    await rig.store.commit(SYSTEM_TENANT, { remove: items.map(({ key }) => key) });
    assert.deepEqual(await other.list(), []);
    await one.heartbeat();
    assert.deepEqual(namesOf(await other.list()), ["a ready"]);
  });

  test("nothing of it is in the log, and many changes at once are one commit", async () => {
    await using rig = await sharedRig();
    const one = rig.runtime();
    await Promise.all(Array.from({ length: 50 }, (_, index) => one.register(entry("api", `a${index}`))));
    await rig.clock.advance(HEARTBEAT_MS);
    assert.deepEqual(await rig.store.tenants(), [{ tenant: SYSTEM_TENANT, lastSeq: 0 }]);
    // To know the time, the first or all, the rest, a heartbeat.
    assert.ok(rig.commits.length <= 4, `${rig.commits.length} commits`);
    rig.commits.length = 0;
    await one.register(entry("api", "a7", { state: "draining" }));
    assert.deepEqual(
      rig.commits.map(({ put, remove }) => [put?.length, remove?.length]),
      [[1, 0]],
    );
    one.close();
    assert.equal(rig.timers.size, 0);
    await rig.clock.advance(TTL_MS);
    assert.equal(rig.commits.length, 1, "it has gone on after its end");
  });

  test("what cannot be understood is passed over", async () => {
    await using rig = await sharedRig();
    const values = [1, null, {}, { ...entry("api", "a"), state: "odd" }, { ...entry("api", "b"), port: "x" }];
    const put = values.map((value, index) => ({ key: `registry/api/${index}`, value }));
    await rig.store.commit(SYSTEM_TENANT, { put });
    assert.deepEqual(await rig.runtime().list(), []);
  });
});
