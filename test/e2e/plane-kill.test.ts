// The compiled binary is killed with SIGKILL again and again, at a moment that chance decides, while several writers use its plane and
// its sagas call a sink. After every start everything that was acknowledged is there and nothing else (W1, W2, W7); at the end every saga
// has come to one (G6), each of its keys took effect at most once (G2), and what was undone was undone whole (G1).
//
// HARAKA_KILL_LOOPS: how often (default 30). HARAKA_KILL_SEED: of a run that is to be played again; when what happens is up to the kernel
// as well, so it may take a few attempts.
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { Random } from "../simulation/random.ts";
import { checkCalls, checkOrder, orderIntent } from "./support/orders.ts";
import { planeOf, type PlaneClient } from "./support/plane.ts";
import { all, Ledger } from "./support/plane-writers.ts";
import { SagaSink } from "./support/saga-sink.ts";
import { haraka, start } from "./support/runtime.ts";

const LOOPS = Number(process.env["HARAKA_KILL_LOOPS"] ?? 30);
/** Each database sees so many, so that reading all of it stays quick. */
const LOOPS_A_DATABASE = 30;
const SEED = Number(process.env["HARAKA_KILL_SEED"] ?? Date.now() % 2 ** 32);
const WRITERS = ["one", "two", "three", "four"];

const filesFor = (sink: string): Record<string, string> => ({
  "runtime.yaml": `
plane: {}
control: { socket: false }
intents:${orderIntent(sink, ["{ name: cooling, sleep: 30ms }"])}
services:
  notes: { entrypoint: ./notes.ts }
`,
  "notes.ts": `
export default { startup() { this.runtime.intents.register("note", {}, ({ input }) => input); } };`,
});

for (let from = 0; from < LOOPS; from += LOOPS_A_DATABASE) {
  const [seed, loops] = [SEED + from, Math.min(LOOPS_A_DATABASE, LOOPS - from)];
  test(`${loops} times kill -9 lose nothing and do nothing twice`, { timeout: 300_000 }, async (t) => {
    try {
      t.diagnostic(await killAgainAndAgain(loops, seed));
    } catch (cause) {
      const again = `HARAKA_KILL_SEED=${seed} HARAKA_KILL_LOOPS=${loops} bun test test/e2e/plane-kill.test.ts`;
      throw new Error(`seed ${seed}: ${(cause as Error).message}\n  replay: ${again}`, { cause });
    }
  });
}

/** What it was good for. */
async function killAgainAndAgain(loops: number, seed: number): Promise<string> {
  const random = new Random(seed);
  await using sink = await new SagaSink(seed).open();
  const ledger = new Ledger();
  // Has the folder, and removes it at the end.
  await using first = start({ files: filesFor(sink.url) });
  let runtime = first;
  try {
    for (let loop = 0; loop < loops; loop++) {
      const plane = await planeOf(runtime);
      // Sometimes while it still recovers.
      if (!random.chance(0.2)) {
        await runtime.started();
        await ledger.check(plane);
        const kill = () => runtime.signal("SIGKILL");
        await writeUntilKilled(ledger, { plane, random: random.fork(`loop ${loop}`), kill });
      }
      runtime.signal("SIGKILL");
      assert.equal((await runtime.ended).signal, "SIGKILL", "it has ended by itself");
      runtime = start({ cwd: first.folder });
    }
    await runtime.started();
    const plane = await planeOf(runtime);
    await ledger.check(plane);
    await checkEnds({ plane, ledger, sink });
    assert.equal((await runtime.stop()).code, 0);
  } finally {
    await runtime[Symbol.asyncDispose]();
  }
  const verified = await haraka({ args: ["wal", "verify", "--json"], cwd: first.folder });
  assert.equal(verified.code, 0, verified.stdout);
  const { answered, events, executions } = ledger;
  return `${answered} writes answered, ${events} records, ${executions.length} executions, ${sink.calls.length} calls`;
}

interface Writing {
  plane: PlaneClient;
  random: Random;
  kill: () => void;
}

/** Once so many writes were answered it is killed, with the next ones under way. */
async function writeUntilKilled(ledger: Ledger, { plane, random, kill }: Writing): Promise<void> {
  const enough = ledger.answered + random.between(1, 60);
  let isGone = false;
  const written = (): void => {
    if (isGone || ledger.answered < enough) return;
    isGone = true;
    kill();
  };
  await Promise.all(
    WRITERS.map((name) =>
      ledger.write(plane, { name, random: random.fork(name), written, isGone: () => isGone }),
    ),
  );
}

interface Ended {
  plane: PlaneClient;
  ledger: Ledger;
  sink: SagaSink;
}

async function checkEnds({ plane, ledger, sink }: Ended): Promise<void> {
  const ends = new Map<string, number>();
  const ids = (await all(plane, "/executions")).map(({ id }) => id as string);
  for (const id of ids) {
    const { body } = await plane.ask(`GET /executions/${id}?wait=15s`);
    const end = `${body.type} ${body.state}`;
    ends.set(end, (ends.get(end) ?? 0) + 1);
    if (body.type === "note") {
      const isOver = body.state === "completed" || body.error?.reason === "interrupted";
      assert.ok(isOver, `${id} is ${body.state}`);
    } else {
      const effects = [...sink.effects.values()].filter(({ execution }) => execution === id);
      checkOrder(body, effects);
    }
  }
  checkCalls(sink.calls, await all(plane, "/wal"));
  assert.ok(ledger.executions.every((id) => ids.includes(id)));
  assert.ok(
    ends.get("order.place completed"),
    `no order has come to a good end: ${JSON.stringify([...ends])}`,
  );
}
