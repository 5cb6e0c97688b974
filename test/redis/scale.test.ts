// A fleet that grows from one replica to three and shrinks to one again while it carries out orders: nobody waits for it longer than a
// lease is prolonged, each replica has its share, and nothing is lost or done twice.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "../simulation/random.ts";
import { Fleet } from "./fleet.ts";
import { fleetYaml, type LoggedEvent, OrderLoad } from "./order-load.ts";
import { RedisServer } from "./server.ts";

const SEED = Date.now() % 2 ** 32;
const LEASE_MS = 5_000;
/** For machines with few cores. */
const SLACK_MS = 500;

/** How long an order stood still at most, by the time of Redis. */
function longestPause(log: readonly LoggedEvent[]): number {
  let longest = 0;
  for (const [execution, events] of Map.groupBy(log, ({ execution = "" }) => execution)) {
    if (execution === "") continue;
    const times = events.map(({ time }) => Date.parse(time));
    for (const [index, time] of times.entries())
      longest = Math.max(longest, time - (times[index - 1] ?? time));
  }
  return longest;
}

test("a fleet grows and shrinks under load", { timeout: 90_000 }, async (t) => {
  await using server = await RedisServer.start();
  await using load = await OrderLoad.open(SEED);
  await using fleet = await Fleet.start(1, {
    yaml: fleetYaml(`url: "${server.url}", lease: { ttl: ${LEASE_MS}ms }`, load.intents),
    random: new Random(SEED),
    patienceMs: 80_000,
  });
  const placing = load.place(fleet);
  await load.more(50);
  await Promise.all([fleet.launch(1), fleet.launch(2)]);
  await load.more(150);
  const shares = load.callsByReplica;
  await fleet.stop(0);
  await load.more(50);
  await fleet.stop(2);
  await load.more(50);
  load.stop();
  await placing;
  const { log, story } = await load.account(fleet);
  const pauseMs = longestPause(log);
  t.diagnostic(`${story}; longest pause ${pauseMs} ms; calls ${JSON.stringify([...load.callsByReplica])}`);
  assert.ok(pauseMs <= LEASE_MS / 3 + SLACK_MS, `an order stood still for ${pauseMs} ms`);
  for (const replica of [1, 2])
    assert.ok(
      (shares.get(replica) ?? 0) > 100,
      `replica ${replica} has no share: ${JSON.stringify([...shares])}`,
    );
});
