// Three replicas of the compiled binary over one Redis carry out sagas at a deduplicating sink, while clients submit at any of them and
// one of them is killed every second and started again. Every saga comes to its end, no key has its effect twice (G1, G2), and what a dead
// replica had goes on within its lease and a second (G6), by the time of Redis.
//
// HARAKA_REPLICA_KILLS: how often (default 8); HARAKA_REPLICA_SAGAS: how many (default 300). HARAKA_KILL_SEED: of a run that is to be played
// again; when what happens is up to the kernel as well, so it may take a few attempts.
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { Random } from "../simulation/random.ts";
import { Fleet } from "./fleet.ts";
import { fleetYaml, OrderLoad } from "./order-load.ts";
import { RedisServer } from "./server.ts";
import { Takeovers } from "./takeovers.ts";

const KILLS = Number(process.env["HARAKA_REPLICA_KILLS"] ?? 8);
const SAGAS = Number(process.env["HARAKA_REPLICA_SAGAS"] ?? 300);
const SEED = Number(process.env["HARAKA_KILL_SEED"] ?? Date.now() % 2 ** 32);
const REPLICAS = 3;
const KILL_EVERY_MS = 1_000;
const LEASE_MS = 2_000;
/** What the promise is about, and what a machine takes that others use, too: to give each of so many processes its turn. */
const TAKE_OVER_MS = LEASE_MS + 1_000;
const SLACK_MS = Number(process.env["HARAKA_SLACK_MS"] ?? 10_000);
const PATIENCE_MS = KILLS * KILL_EVERY_MS + SAGAS * 20 + 60_000;

test(
  `${SAGAS} sagas on ${REPLICAS} replicas, ${KILLS} times one of them killed`,
  { timeout: PATIENCE_MS },
  async (t) => {
    try {
      t.diagnostic(await killReplicas(SEED));
    } catch (cause) {
      const again = `HARAKA_KILL_SEED=${SEED} HARAKA_REPLICA_KILLS=${KILLS} HARAKA_REPLICA_SAGAS=${SAGAS}`;
      const message = `seed ${SEED}: ${(cause as Error).message}\n  replay: ${again} bun test test/redis/chaos.test.ts`;
      throw new Error(message, { cause });
    }
  },
);

/** What it was good for. */
async function killReplicas(seed: number): Promise<string> {
  const random = new Random(seed);
  await using server = await RedisServer.start();
  await using load = await OrderLoad.open(seed);
  await using fleet = await Fleet.start(REPLICAS, {
    yaml: fleetYaml(`url: "${server.url}", lease: { ttl: ${LEASE_MS}ms }`, load.intents),
    random: random.fork("clients"),
    patienceMs: PATIENCE_MS,
  });
  const takeovers = new Takeovers(server, { namespace: "shop" });
  const startedMs = performance.now();
  await Promise.all([
    load.place(fleet, { count: SAGAS, forMs: KILLS * KILL_EVERY_MS }),
    killAgainAndAgain(fleet, { random: random.fork("kills"), takeovers }),
  ]);
  const { log, story } = await load.account(fleet);
  const tookMs = Math.round(performance.now() - startedMs);
  const { ms, execution } = takeovers.longest(log);
  const all = `${story}, ${tookMs} ms; longest take-over ${Math.round(ms)} ms`;
  assert.ok(ms <= TAKE_OVER_MS + SLACK_MS, `${all}, of ${execution}`);
  return all;
}

async function killAgainAndAgain(
  fleet: Fleet,
  { random, takeovers }: { random: Random; takeovers: Takeovers },
): Promise<void> {
  const launched: Promise<void>[] = Array.from({ length: REPLICAS }, () => Promise.resolve());
  const startMs = performance.now();
  for (let kill = 0; kill < KILLS; kill++) {
    await pause(
      Math.max(0, startMs + kill * KILL_EVERY_MS + random.between(0, KILL_EVERY_MS) - performance.now()),
    );
    const index = random.between(0, REPLICAS - 1);
    // Not before it could do anything.
    await launched[index];
    await fleet.kill(index);
    await takeovers.note();
    launched[index] = fleet.launch(index);
  }
  await Promise.all(launched);
}
