// durable-steps-redis@N: the sagas of durable-steps, kept in a real Redis that syncs every write. The floor is a bare loop through the
// same package: a script a step that looks who owns it and appends two records, nothing else.
import { createClient } from "redis";
import { redisConfigOf } from "../src/compose/open-redis.ts";
import { RedisServer } from "../test/redis/server.ts";
import { aloneRow, type Runner, sagasOver, STEPS, stepsRow } from "./steps.ts";
import { recordOf } from "./wal.ts";

const SCRIPT = `
if redis.call("HGET", KEYS[1], "owner") then return 0 end
redis.call("XADD", KEYS[2], "*", "r", ARGV[1])
redis.call("XADD", KEYS[2], "*", "r", ARGV[1])
return 1
`;

async function ours(path: string): Promise<Runner> {
  const server = await serverIn(path);
  const { run, close } = await sagasOver(redisConfigOf(server.url));
  return {
    run,
    async close() {
      await close();
      await server[Symbol.asyncDispose]();
    },
  };
}

async function loop(path: string): Promise<Runner> {
  const server = await serverIn(path);
  const client = createClient({ url: server.url });
  await client.connect();
  const sha = await client.scriptLoad(SCRIPT);
  return {
    async run(number) {
      const words = ["EVALSHA", sha, "2", "{t}:head", "{t}:log", JSON.stringify(recordOf(number))];
      for (let step = 0; step < STEPS; step++) await client.sendCommand(words);
    },
    async close() {
      client.destroy();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** Where it is on a real disk: beside the database that another row would have. */
function serverIn(path: string): Promise<RedisServer> {
  return RedisServer.start({ folder: `${path}.redis` });
}

export const redisSteps1 = aloneRow("durable-steps-redis@1", { ours, loop });
export const redisSteps8 = stepsRow("durable-steps-redis@8", {
  ours,
  loop,
  waiters: 8,
  target: { ratioMin: 0.4 },
});
export const redisSteps64 = stepsRow("durable-steps-redis@64", {
  ours,
  loop,
  waiters: 64,
  target: { valueMin: 20_000 },
});
