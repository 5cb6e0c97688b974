// A failover under a fleet that has lost what the old master had acknowledged: whoever remembers it says so and builds nothing on what is
// there, and the others go on.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient } from "redis";
import { Random } from "../simulation/random.ts";
import { Fleet } from "./fleet.ts";
import { HangingSteps } from "./hanging-steps.ts";
import { fleetYaml } from "./order-load.ts";
import { Sentinels } from "./sentinels.ts";

const SEED = Date.now() % 2 ** 32;
const LEASE_MS = 2_000;
/** For machines with few cores. */
const SLACK_MS = 1_000;
const TIMEOUT = { timeout: 120_000 };

function fleetOver(rig: Sentinels, intents: string): Promise<Fleet> {
  const nodes = rig.urls.map((url) => `"${url}"`).join(", ");
  const store = `sentinel: { master: main, nodes: [${nodes}] }, lease: { ttl: ${LEASE_MS}ms }`;
  return Fleet.start(3, { yaml: fleetYaml(store, intents), random: new Random(SEED), patienceMs: 100_000 });
}

/** The master is lost, and the replica in its place; all replicas of the fleet have found it. */
async function failOver(rig: Sentinels, fleet: Fleet): Promise<void> {
  await rig.master.stop("SIGKILL");
  for (let index = 0; index < fleet.size; index++) {
    await fleet.runtime(index).record("haraka", /^cannot reach the Redis master/);
    await fleet.runtime(index).record("haraka", "the store can be reached again");
  }
}

test(
  "a failover that has lost what was acknowledged is detected and told, and nobody builds on it",
  TIMEOUT,
  async () => {
    await using rig = await Sentinels.start();
    await using fleet = await fleetOver(rig, " {}");
    const put = (index: number, value: number) =>
      fleet.plane(index).ask(`PUT /state/n/k${index}`, { json: { value } });
    for (let index = 0; index < fleet.size; index++) assert.equal((await put(index, 1)).status, 201);
    await cutOff(rig);
    const { status, headers } = await put(0, 2);
    assert.deepEqual([status, headers.get("etag")], [200, '"2"']);
    await failOver(rig, fleet);
    const refused = await put(0, 3);
    assert.equal(refused.status, 503, refused.text);
    await fleet
      .runtime(0)
      .record("haraka", /ends with record 3 and is not the one whose record 4 was acknowledged/);
    // Those that lost nothing go on; whoever remembers takes it as it is after a restart.
    assert.equal((await put(1, 2)).status, 200);
    assert.equal((await put(0, 3)).status, 503, "it is written although it is another log");
    await fleet.stop(0);
    await fleet.launch(0);
    assert.equal((await put(0, 3)).status, 200);
  },
);

test("executions of a replica that may not go on are carried out by the others", TIMEOUT, async (t) => {
  const sagas = 40;
  await using rig = await Sentinels.start();
  await using steps = await new HangingSteps().open();
  const slow = `{ name: slow, execute: { url: "${steps.url}/\${TEST_REPLICA}" }, timeout: 60s }`;
  await using fleet = await fleetOver(rig, `\n  hold: { saga: { steps: [${slow}] } }`);
  const session = await fleet.plane(0).session();
  const json = { type: "hold", session, payload: {} };
  const placed = await Promise.all(
    Array.from({ length: sagas }, () => fleet.plane(0).ask("POST /intents", { json })),
  );
  await steps.reached(sagas);
  await cutOff(rig);
  assert.equal((await fleet.plane(0).ask("PUT /state/n/lost", { json: { value: 1 } })).status, 201);
  await failOver(rig, fleet);
  steps.letGo();
  const letGoMs = performance.now();
  for (const { body } of placed) {
    const { body: end } = await fleet.plane(1).ask(`GET /executions/${body.id}?wait=15s`);
    assert.equal(end.state, "completed", JSON.stringify(end));
  }
  const tookMs = performance.now() - letGoMs;
  const byReplica = [...Map.groupBy(steps.calls, ({ replica }) => replica)].map(
    ([name, some]) => `${name} ${some.length}`,
  );
  t.diagnostic(`all done ${Math.round(tookMs)} ms after; calls: ${byReplica.join(", ")}`);
  // It may have taken them once more before it saw that it must not.
  assert.ok(tookMs <= 2 * LEASE_MS + 1_000 + SLACK_MS, `it took ${tookMs} ms`);
});

/** The replica gets nothing any more, and nobody who is connected to the master notices. */
async function cutOff({ master, replica }: Sentinels): Promise<void> {
  const client = createClient({ url: master.url });
  await client.connect();
  await client.sendCommand(["CONFIG", "SET", "requirepass", "cut"]);
  await client.sendCommand(["CLIENT", "KILL", "TYPE", "replica"]);
  client.destroy();
  while (!String(await replica.command("INFO", "replication")).includes("master_link_status:down"));
}
