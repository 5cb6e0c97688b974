// One of several runtimes over one store in Redis, for `../redis.ts`: it warms up, says `ready`, and at a line of its input lets `WAITERS` clients
// carry out `SAGAS` sagas, says `done`, and goes on with what the others have submitted until its input ends.
import { once } from "node:events";
import process from "node:process";
import { sagasOver } from "../steps.ts";

const { STORE = "", WAITERS, SAGAS } = process.env;
const { run, close } = await sagasOver(STORE);
/** Before that, a process is slow by itself. */
const WARM_UP = 200;

let count = 0;
async function all(sagas: number): Promise<void> {
  const until = count + sagas;
  const client = async (): Promise<void> => {
    while (count < until) await run(count++);
  };
  await Promise.all(Array.from({ length: Number(WAITERS) }, client));
}

await all(WARM_UP);
process.stdout.write("ready\n");
await once(process.stdin, "data");
await all(Number(SAGAS));
process.stdout.write("done\n");
await once(process.stdin.resume(), "end");
await close();
