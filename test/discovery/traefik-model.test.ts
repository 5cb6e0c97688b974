// A runtime with its real endpoint, gate, shutdown and health, behind a model of Traefik, on one clock that is turned by hand: what
// comes through, and for how long, whatever the moment at which it stops.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { Routing } from "../../src/discovery/routing.ts";
import { createApp } from "../../src/http/app.ts";
import { createGate } from "../../src/http/gate.ts";
import { createTraefik } from "../../src/http/traefik.ts";
import { Supervisor } from "../../src/runtime/supervisor.ts";
import { testClock } from "../../src/testing.ts";
import { configOf } from "../config/reading.ts";
import { spec } from "../core/arbitrary.ts";
import { scriptedLauncher } from "../fakes/launcher.ts";
import { Traefik } from "../fakes/traefik.ts";
import { silentLog } from "../http/silent-log.ts";

const URL_OF_API = "http://shop.example/api";
/** What stands at the server's address. */
const OWN = "http://10.0.0.1:8080";

const HERE = { requestIP: () => ({ address: "127.0.0.1" }) };

interface WorldOptions {
  drainMs?: number | "auto";
  /** Where the route leads. A URL of its own is one of which Traefik does not ask the health. */
  target?: string;
}

async function world({ drainMs = "auto", target = "" }: WorldOptions = {}) {
  const clock = testClock();
  const config = configOf(
    `services: { api: { entrypoint: ./a.ts, routes: [{ rule: "PathPrefix(\`/api\`)"${target} }] } }`,
  );
  const gate = createGate({ clock });
  const supervisor = new Supervisor({
    clock,
    gate,
    emit() {},
    startup: { timeoutMs: 60_000, concurrency: Infinity, onFailure: "rollback" },
    shutdown: { budgetMs: 30_000, drainMs },
    kubernetes: false,
    publisher: () => "http",
  });
  const routing = new Routing({
    namespace: "shop",
    publisher: "p",
    services: () => config.services,
    snapshot: () => supervisor.snapshot(),
    address: "10.0.0.1",
    httpPort: () => 8080,
  });
  const app = createApp({
    service: "shop",
    version: "1",
    health: supervisor,
    gate,
    log: silentLog,
    traefik: createTraefik({ document: () => routing.document() }),
  });
  app.mount("api", (routes) => void routes.get("/api", (c) => c.text("here")));
  let isOpen = true;
  void supervisor.ended.then(() => (isOpen = false));
  /** What a client would notice: requests that were sent here and not served. */
  const refused: number[] = [];
  const ask = async (request: Request) => {
    const isRequest = request.url.endsWith("/api");
    const answer = isOpen ? await app.fetch(request, HERE) : undefined;
    if (isRequest && answer?.status !== 200) refused.push(clock.now());
    if (!answer) throw new Error("refused");
    return answer;
  };
  const traefik = new Traefik({
    clock,
    endpoint: () => ask(new Request("http://localhost/traefik", { headers: { host: "localhost" } })),
    backend: ask,
  });
  return {
    clock,
    supervisor,
    traefik,
    refused,
    start: () => supervisor.run([{ spec: spec("api"), launcher: scriptedLauncher({ obliging: true }) }]),
    /** Turns the clock in small steps, with a request at each; gives what came back, by its time. */
    async load(forMs: number, stepMs = 250): Promise<{ atMs: number; status: number }[]> {
      const answers: { atMs: number; status: number }[] = [];
      for (const endMs = clock.now() + forMs; clock.now() < endMs;) {
        const { status } = await traefik.request(URL_OF_API);
        answers.push({ atMs: clock.now(), status });
        await clock.advance(stepMs);
      }
      return answers;
    },
  };
}

const statuses = (answers: readonly { status: number }[]): number[] => [
  ...new Set(answers.map(({ status }) => status)),
];

test("a service is reached within a poll of being ready, and is not reloaded without need", async () => {
  const { clock, traefik, start, load } = await world();
  await traefik.start();
  assert.equal((await traefik.request(URL_OF_API)).status, 404);
  await start();
  await clock.advance(5_000);
  assert.deepEqual(traefik.up, [OWN]);
  assert.deepEqual(statuses(await load(60_000, 1_000)), [200]);
  assert.equal(traefik.reloads, 2);
});

/** Has a runtime stop at a moment: how long after that it was still sent requests, and whether it refused one. */
async function stopAt(atMs: number, options: WorldOptions) {
  const { clock, supervisor, traefik, refused, start, load } = await world(options);
  await start();
  await traefik.start();
  await clock.advance(20_000 + atMs);
  const stoppedMs = clock.now();
  void supervisor.shutdown();
  const answers = await load(9_000);
  const served = answers.filter(({ status }) => status === 200);
  return { statuses: statuses(answers), refused, servedMs: (served.at(-1)?.atMs ?? stoppedMs) - stoppedMs };
}

const anyMoment = fc.integer({ min: 0, max: 7_000 });

test("whenever it stops, Traefik stops sending before it refuses, at the latest one check after a reload", async () => {
  await fc.assert(
    fc.asyncProperty(anyMoment, async (atMs) => {
      const stopped = await stopAt(atMs, {});
      assert.deepEqual(stopped.refused, []);
      assert.deepEqual(stopped.statuses, [200, 503]);
      assert.ok(stopped.servedMs <= 2_000 + 1_000, `${stopped.servedMs}`);
    }),
    { numRuns: 15 },
  );
});

const BLIND = { target: `, url: '${OWN}'` };

test("also where Traefik cannot ask the health, and has only the document: the drain is as long as that takes", async () => {
  await fc.assert(
    fc.asyncProperty(anyMoment, async (atMs) => {
      const stopped = await stopAt(atMs, BLIND);
      assert.deepEqual(stopped.refused, []);
      assert.ok(stopped.servedMs <= 7_000);
    }),
    { numRuns: 15 },
  );
});

test("a drain that is shorter than that refuses what Traefik still sends", async () => {
  const { refused } = await stopAt(100, { ...BLIND, drainMs: 2_000 });
  assert.ok(refused.length > 0);
});
