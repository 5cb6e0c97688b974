// BullMQ with a Redis of its own that syncs each write. It has no workflows: a step is a job, and the next is added when it is done.
import {
  folder,
  freePort,
  left,
  listening,
  output,
  packageOf,
  race,
  serve,
  stepNames,
  waiters,
} from "./race.ts";

interface Job {
  waitUntilFinished(events: unknown): Promise<unknown>;
}

interface BullMq {
  Queue: new (name: string, options: object) => { add(name: string, data: object): Promise<Job> };
  QueueEvents: new (name: string, options: object) => { waitUntilReady(): Promise<unknown> };
  Worker: new (
    name: string,
    run: () => Promise<object>,
    options: object,
  ) => { waitUntilReady(): Promise<unknown> };
}

const port = await freePort();
const durable = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""];
const redis = serve(["redis-server", "--port", String(port), "--dir", folder, ...durable]);
await listening(port);
const { Queue, QueueEvents, Worker } = packageOf<BullMq>("bullmq");
const connection = { host: "127.0.0.1", port };
const queue = new Queue("bench", { connection });
const events = new QueueEvents("bench", { connection });
const worker = new Worker("bench", async () => output(), { connection, concurrency: waiters });
await Promise.all([events.waitUntilReady(), worker.waitUntilReady()]);
await race(
  async (number) => {
    for (const name of stepNames) await (await queue.add(name, { number })).waitUntilFinished(events);
  },
  () => left(redis),
);
