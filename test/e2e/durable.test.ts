// Sagas that outlive their process, with nothing beside it: no server, no database of one's own, and never two at work on one store.
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { haraka, type Runtime, start } from "./support/runtime.ts";

const files = {
  "runtime.yaml": `
http: false
plane: {}
services: { shop: { entrypoint: ./shop.ts } }
`,
  // The first life is told to end in the third step; the second one fails there.
  "shop.ts": `
import { appendFileSync, existsSync } from "node:fs";
import { saga } from "haraka-runtime";
const done = (what) => appendFileSync("done", what + " ");
const order = saga("order")
  .step("reserve", { execute() { done("reserve"); return 7; }, compensate: ({ output }) => done("release-" + output) })
  .step("pay", { execute: () => done("pay"), compensate: () => done("refund") })
  .step("ship", {
    async execute() {
      done("ship");
      if (existsSync("again")) throw new Error("out of stock");
      console.log("shipping");
      await new Promise(() => {});
    },
  });
export default {
  async startup() {
    const { sagas, sessions, intents } = this.runtime;
    sagas.register(order);
    if (existsSync("again")) return;
    const { id } = await sessions.create({ user: "me" });
    await intents.submit({ type: "order", session: id, payload: {} });
  },
};`,
};
interface Order {
  id: string;
  state: string;
}

/** What it says of the one order. */
async function orderOf(runtime: Runtime): Promise<Order | undefined> {
  const { stdout } = await haraka({ args: ["sagas", "list", "--json"], cwd: runtime.folder });
  return (JSON.parse(stdout) as Order[])[0];
}

const childrenOf = (pid: number): string =>
  globSync(`/proc/${pid}/task/*/children`)
    .map((file) => readFileSync(file, "utf8"))
    .join("");

test("a saga that a crash cuts off is undone step by step, with nothing beside the one process", async () => {
  await using first = start({ files });
  await first.record("shop", "shipping");
  assert.equal(childrenOf(first.pid), "");
  await first.signal("SIGKILL").ended;
  first.write("again", "");
  await using second = start({ cwd: first.folder });
  await second.started();
  let order: Order | undefined;
  do order = await orderOf(second);
  while (order?.state === "running" || order?.state === "compensating");
  assert.equal(order?.state, "compensated");
  assert.equal(childrenOf(second.pid), "");
  assert.equal((await second.stop()).code, 0);
  assert.equal(
    readFileSync(join(first.folder, "done"), "utf8"),
    "reserve pay ship ship refund release-7 ",
    "what was done is not done again, what was in doubt is, and what is undone is undone in reverse",
  );
  const verified = await haraka({ args: ["wal", "verify"], cwd: first.folder });
  assert.equal(verified.code, 0, verified.stderr);
});

test("two runtimes never work on one store", async () => {
  await using holder = start({ files });
  await holder.record("shop", "shipping");
  const other = await haraka({
    args: ["run"],
    files,
    env: { HARAKA_DATA: join(holder.folder, "data") },
  });
  assert.equal(other.code, 75);
  assert.match(other.stderr, new RegExp(`pid ${holder.pid} on host `));
  assert.equal(readFileSync(join(holder.folder, "done"), "utf8"), "reserve pay ship ");
});
