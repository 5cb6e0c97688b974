// durable-steps-redis@N: the sagas of durable-steps, kept in a real Redis that syncs every write; beside it, the same by several
// processes that share one Redis, each with N clients. The floor is what any log in Redis has to do: two records a step, appended through
// the same package, pipelined. A script a step that looks who owns it and appends the two is measured, too.
import { join } from "node:path";
import { createClient, type RedisClientType } from "redis";
import { RedisServer } from "../test/redis/server.ts";
import { durablePeersBeside } from "./durable-peers.ts";
import { alternate } from "./measure.ts";
import { aloneRow, type Runner, SAGAS, sagasOver, STEPS, stepsRow, type Waiters } from "./steps.ts";
import { recordOf, within } from "./wal.ts";

const SCRIPT = `
if redis.call("HGET", KEYS[1], "owner") then return 0 end
redis.call("XADD", KEYS[2], "*", "r", ARGV[1])
redis.call("XADD", KEYS[2], "*", "r", ARGV[1])
return 1
`;

async function ours(path: string): Promise<Runner> {
  const server = await serverIn(path);
  const { run, close } = await sagasOver(server.url);
  return {
    run,
    async close() {
      await close();
      await server[Symbol.asyncDispose]();
    },
  };
}

type Step = (record: string) => Promise<unknown>;

async function bare(path: string, open: (client: RedisClientType) => Promise<Step>): Promise<Runner> {
  const server = await serverIn(path);
  const client: RedisClientType = createClient({ url: server.url });
  await client.connect();
  const step = await open(client);
  return {
    async run(number) {
      const record = JSON.stringify(recordOf(number));
      for (let count = 0; count < STEPS; count++) await step(record);
    },
    async close() {
      client.destroy();
      await server[Symbol.asyncDispose]();
    },
  };
}

function appending(path: string): Promise<Runner> {
  return bare(path, async (client) => {
    const append = (record: string) => client.sendCommand(["XADD", "{t}:log", "*", "r", record]);
    return (record) => Promise.all([append(record), append(record)]);
  });
}

function scripted(path: string): Promise<Runner> {
  return bare(path, async (client) => {
    const sha = await client.scriptLoad(SCRIPT);
    return (record) => client.sendCommand(["EVALSHA", sha, "2", "{t}:head", "{t}:log", record]);
  });
}

/** Where it is on a real disk: beside the database that another row would have. */
function serverIn(path: string): Promise<RedisServer> {
  return RedisServer.start({ folder: `${path}.redis` });
}

/** Steps a second of so many processes together. */
function shared(replicas: number, waiters: Waiters): Promise<number> {
  return within(serverBeside, async ({ server }) => {
    const each = Math.ceil(SAGAS[waiters] / replicas);
    const env = { ...process.env, STORE: server.url, WAITERS: String(waiters), SAGAS: String(each) };
    const all = Array.from({ length: replicas }, () => new Replica(env));
    await Promise.all(all.map((replica) => replica.said("ready")));
    const startMs = performance.now();
    for (const replica of all) replica.go();
    await Promise.all(all.map((replica) => replica.said("done")));
    const tookMs = performance.now() - startMs;
    await Promise.all(all.map((replica) => replica.end()));
    return (each * replicas * STEPS * 1_000) / tookMs;
  });
}

async function serverBeside(path: string) {
  const server = await serverIn(path);
  return { server, close: () => server[Symbol.asyncDispose]() };
}

class Replica {
  readonly #child;
  readonly #output;
  #said = "";

  constructor(env: Record<string, string | undefined>) {
    const file = join(import.meta.dir, "programs/redis-replica.ts");
    this.#child = Bun.spawn([process.execPath, file], { env, stdin: "pipe", stdout: "pipe" });
    this.#output = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  async said(word: string): Promise<void> {
    while (!this.#said.includes(word)) {
      const { value, done } = await this.#output.read();
      if (done) throw new Error(`cannot measure: a replica has ended before it was ${word}`);
      this.#said += value;
    }
  }

  go(): void {
    void this.#child.stdin.write("go\n");
    void this.#child.stdin.flush();
  }

  async end(): Promise<void> {
    await this.#child.stdin.end();
    await this.#child.exited;
  }
}

/** What several processes do together, and BullMQ. */
async function beside(waiters: Waiters): Promise<string> {
  const { two, four } = await alternate(
    { count: 3 },
    { two: () => shared(2, waiters), four: () => shared(4, waiters) },
  );
  const together = `2 replicas ${Math.round(two)} steps/s, 4 replicas ${Math.round(four)} steps/s`;
  return `${together}; ${await durablePeersBeside(waiters, { only: "BullMQ" })}`;
}

const COST =
  "the work of durable-steps here, a script that fences and keeps more than the log there, in turn: what comes in one turn of the loop is one script and one sync of the disk, and two halves at once would be two syncs.";

const CONTENDERS = { ours, loop: appending, floors: { "scripts alone": scripted }, cost: COST, beside };

export const redisSteps1 = aloneRow("durable-steps-redis@1", CONTENDERS);
export const redisSteps8 = stepsRow("durable-steps-redis@8", {
  ...CONTENDERS,
  waiters: 8,
  target: { ratioMin: 0.4 },
});
export const redisSteps64 = stepsRow("durable-steps-redis@64", {
  ...CONTENDERS,
  waiters: 64,
  target: { valueMin: 20_000 },
});
