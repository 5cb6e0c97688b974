// The process is killed at every point that has a label, each time it comes by, and started again: then what the outside has seen must
// be what PLANE.md's G1 allows, and nothing may have gone out that the log does not know of (G2).
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, test } from "node:test";
import { openStoreAt } from "../../src/compose/store-at.ts";
import { systemClock } from "../../src/drivers/clock.ts";
import { type FailpointLabel, FAILPOINTS } from "../../src/ports/failpoint.ts";
import type { Execution } from "../../src/ports/plane.ts";
import { TENANT } from "./engine-rig.ts";

const PROGRAM = join(import.meta.dirname, "../fixtures/engine/orders.ts");

/** These are about the making of a database file, and about moving from one store to another. */
const ELSEWHERE = /^(store-create$|store-migrate$|migrate-)/;
const LABELS = Object.keys(FAILPOINTS).filter((label) => !ELSEWHERE.test(label)) as FailpointLabel[];

/** The outside: every key has its effect at most once. Fails the last step of a bad order, for certain. */
class Sink {
  /** Of one world: the path of each effect, in order. */
  readonly effects = new Map<string, string[]>();
  readonly calls = new Map<string, number>();
  readonly #known = new Set<string>();
  readonly server: Server;

  constructor() {
    this.server = createServer((request, response) => {
      request.resume().on("end", () => {
        const [, world = "", ...path] = (request.url ?? "").split("/");
        const key = String(request.headers["idempotency-key"]);
        this.calls.set(key, (this.calls.get(key) ?? 0) + 1);
        const effect = path.join("/");
        if (effect === "bad/do/last") return void response.writeHead(422).end();
        if (!this.#known.has(key)) this.effects.set(world, [...(this.effects.get(world) ?? []), effect]);
        this.#known.add(key);
        response.end(JSON.stringify({ of: effect }));
      });
    });
  }

  url(world: string): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/${world}`;
  }
}

const sink = new Sink();
const folder = mkdtempSync(join(tmpdir(), "haraka-crash-"));

before(() => new Promise<void>((resolve) => sink.server.listen(0, "127.0.0.1", resolve)));
after(async () => {
  sink.server.closeAllConnections();
  await new Promise((resolve) => sink.server.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

interface Ending {
  signal: NodeJS.Signals | null;
  code: number | null;
  stdout: string;
  stderr: string;
}

function run(world: string, failpoint: string): Promise<Ending> {
  const cwd = mkdtempIn(world);
  const env = { ...process.env, HARAKA_FAILPOINT: failpoint };
  const child = spawn(process.execPath, [PROGRAM, sink.url(world)], {
    cwd,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (part: Buffer) => (stdout += part.toString()));
  child.stderr.on("data", (part: Buffer) => (stderr += part.toString()));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}

const folders = new Map<string, string>();

function mkdtempIn(world: string): string {
  const path = folders.get(world) ?? mkdtempSync(join(folder, `${world}-`));
  folders.set(world, path);
  return path;
}

/** What G1 and G2 allow of a world whose process was killed, and started again until it came to its end. */
async function check(world: string, stdout: string): Promise<void> {
  const [good, bad, note] = JSON.parse(stdout) as Execution[];
  assert.equal(good?.state, "completed", world);
  assert.equal(bad?.state, "compensated", world);
  assert.ok(note?.state === "completed" || note?.error?.reason === "interrupted", world);
  const effects = sink.effects.get(world) ?? [];
  const of = (name: string) =>
    effects.filter((path) => path.startsWith(`${name}/`)).map((path) => path.slice(name.length + 1));
  const [first, ...rest] = of("good");
  assert.deepEqual(
    [first, rest.slice(0, 2).toSorted(), rest.slice(2)],
    ["do/one", ["do/left", "do/right"], ["do/last"]],
    world,
  );
  const undone = of("bad");
  assert.equal(undone[0], "do/one", world);
  assert.deepEqual(undone.slice(1, 3).toSorted(), ["do/left", "do/right"], world);
  assert.deepEqual(undone.slice(3, 5).toSorted(), ["undo/left", "undo/right"], world);
  assert.deepEqual(undone.slice(5), ["undo/one"], world);
  await checkLog(world, [good, bad]);
}

/** No key was called more often than the log has it going out. */
async function checkLog(world: string, executions: readonly Execution[]): Promise<void> {
  const store = await openStoreAt("sqlite:orders.db", { clock: systemClock(), cwd: mkdtempIn(world) });
  try {
    for (const { id } of executions) {
      const records = await store.log(TENANT, { after: 0, limit: 1000, execution: id });
      for (const [type, direction] of [
        ["step_started", "execute"],
        ["compensation_started", "compensate"],
      ] as const) {
        for (const step of ["one", "left", "right", "last"]) {
          const started = records.filter((record) => record.type === type && record.step === step).length;
          const called = sink.calls.get(`${id}/${step}/${direction}`) ?? 0;
          assert.ok(
            called <= started,
            `${world}: "${step}" was called ${called} times and has ${started} ${type}`,
          );
        }
      }
    }
  } finally {
    await store.close();
  }
}

/** Kills it the N-th time; false when it does not come by so often. */
async function crashAt(label: FailpointLabel, times: number): Promise<boolean> {
  const world = `${label}-${times}`;
  const first = await run(world, `${label}:${times}`);
  const isKilled = first.signal === "SIGKILL";
  const last = isKilled ? await run(world, "") : first;
  assert.equal(last.code, 0, `${world}: ${last.stderr}`);
  await check(world, last.stdout);
  return isKilled;
}

/** Only a start that finds something open comes by here. */
async function crashTwice(label: FailpointLabel): Promise<void> {
  const killed = await run(label, "call-out:3");
  assert.equal(killed.signal, "SIGKILL");
  const again = await run(label, label);
  assert.equal(again.signal, "SIGKILL", again.stderr);
  const last = await run(label, "");
  assert.equal(last.code, 0, last.stderr);
  await check(label, last.stdout);
}

/** Each time it comes by takes two runs of a second; here the first is enough, `bun run test:long` tries them all. */
const TIMES_MAX = process.env["HARAKA_CRASH_TIMES"] === "all" ? Infinity : 1;

for (const label of LABELS) {
  test(
    `a crash at ${label}, whenever it comes by, leaves what may be left`,
    { timeout: 120_000 },
    async (t) => {
      if (label === "execution-claimed") return crashTwice(label);
      let times = 0;
      while (times < TIMES_MAX && (await crashAt(label, times + 1))) times++;
      t.diagnostic(`killed ${times} times`);
      assert.ok(times > 0, `nothing comes by ${label}`);
    },
  );
}
