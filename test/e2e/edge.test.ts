// The edge handler on the servers it is for: `deno serve` and a real workerd. The first requests start the services, health
// and routes answer, and a start that fails is said instead of served.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { after, before, describe, test } from "node:test";
import { edge, Service } from "../../src/edge.ts";
import { root } from "./support/binary.ts";
import { JAVASCRIPT_RUNTIMES } from "./support/programs.ts";

const WORKERS = ["shop", "broken", "stall"] as const;
type Worker = (typeof WORKERS)[number];

let folder = "";
before(async () => {
  folder = mkdtempSync(join(tmpdir(), "haraka-edge-"));
  await Bun.build({
    entrypoints: WORKERS.map(sourceOf),
    outdir: folder,
    target: "browser",
    format: "esm",
    // What is left of these stays in sight instead of becoming a browser's imitation of it.
    external: ["node:*"],
  });
});
after(() => rmSync(folder, { recursive: true }));

function sourceOf(worker: Worker): string {
  return join(root, `test/fixtures/edge/${worker}.ts`);
}

interface Served extends AsyncDisposable {
  get(path: string, init?: RequestInit): Promise<Response>;
}

/** Runs a server until it is disposed of. `portIn` gives the port once a line of what it says names it. */
async function serve(
  [command = "", ...words]: readonly string[],
  { says, portIn }: { says: 2 | 3; portIn: RegExp },
): Promise<Served> {
  const stdio = ["ignore", "ignore", "pipe", "pipe"] as const;
  const child = spawn(command, words, {
    cwd: root,
    env: { ...process.env, NO_COLOR: "1" },
    stdio: [...stdio],
  });
  const exited = once(child, "exit");
  const said: string[] = [];
  let port: string | undefined;
  for await (const line of createInterface({ input: child.stdio[says] as Readable })) {
    said.push(line);
    port = portIn.exec(line)?.[1];
    if (port !== undefined) break;
  }
  assert.ok(port, `${command} has not opened a port: ${said.join("\n")}`);
  return {
    get: (path, init) => fetch(`http://127.0.0.1:${port}${path}`, init),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

function denoServe(worker: Worker): Promise<Served> {
  const words = ["serve", "--allow-all", "--host=127.0.0.1", "--port=0", sourceOf(worker)];
  return serve([JAVASCRIPT_RUNTIMES.deno[0], ...words], { says: 2, portIn: /:(\d+)\/?$/ });
}

function workerd(worker: Worker): Promise<Served> {
  const config = join(folder, `${worker}.capnp`);
  writeFileSync(
    config,
    `using Workerd = import "/workerd/workerd.capnp";
    const config :Workerd.Config = (
      services = [(name = "main", worker = (
        modules = [(name = "worker.js", esModule = embed "${worker}.js")],
        compatibilityDate = "2026-11-17",
      ))],
      sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
    );`,
  );
  const words = ["serve", config, "--control-fd=3"];
  return serve([join(root, "node_modules/.bin/workerd"), ...words], { says: 3, portIn: /"port":(\d+)/ });
}

for (const [name, open] of Object.entries({ "deno serve": denoServe, workerd })) {
  describe(`edge under ${name}`, () => {
    test("first requests at the same time share one start, and later ones find it done", async () => {
      await using server = await open("shop");
      const answers = await Promise.all(Array.from({ length: 8 }, () => server.get("/visits")));
      const bodies = await Promise.all(answers.map((answer) => answer.json()));
      const visits = bodies.toSorted((one, other) => one.visits - other.visits);
      assert.deepEqual(
        visits,
        Array.from({ length: 8 }, (_, index) => ({ starts: 1, visits: index + 1 })),
      );
      assert.deepEqual(await (await server.get("/visits")).json(), { starts: 1, visits: 9 });
    });

    test("health and readiness answer, the first request included", async () => {
      await using server = await open("shop");
      const ready = await server.get("/health/ready");
      assert.deepEqual([ready.status, await ready.json()], [200, { status: "ready" }]);
      const health = (await (await server.get("/health")).json()) as Record<string, unknown>;
      assert.equal(health["service"], "market");
      assert.equal(health["status"], "healthy");
      assert.equal((await server.get("/nothing")).status, 404);
    });

    test("a start that fails makes readiness 503 with its name, and routes 503", async () => {
      await using server = await open("broken");
      const ready = await server.get("/health/ready");
      assert.equal(ready.status, 503);
      const { blockedBy } = (await ready.json()) as { blockedBy: { service: string }[] };
      assert.ok(blockedBy.some(({ service }) => service === "cache"));
      const visits = await server.get("/visits");
      const { detail } = (await visits.json()) as { detail: string };
      assert.equal(visits.status, 503);
      assert.equal(detail, "cannot answer /visits: the runtime did not start; the log says why");
      assert.equal((await server.get("/health/live")).status, 200);
    });

    test("a plane serves sessions, intents and sagas to whom its auth lets in", async () => {
      await using server = await open("stall");
      assert.equal((await server.get("/api/v1/sessions")).status, 401);
      const headers = { authorization: "Bearer sesame", "content-type": "application/json" };
      const post = async (path: string, body: object): Promise<{ id: string }> => {
        const init = { method: "POST", headers, body: JSON.stringify(body) };
        return (await (await server.get(`/api/v1${path}`, init)).json()) as { id: string };
      };
      const { id: session } = await post("/sessions", { user: "ann" });
      const results = ["greet", "sell"].map(async (type) => {
        const { id } = await post("/intents", { type, session, payload: "ann" });
        const answer = await server.get(`/api/v1/executions/${id}?wait=10s`, { headers });
        return (await answer.json()) as { state: string; result?: unknown; saga?: { steps: object[] } };
      });
      const [greeted, sold] = await Promise.all(results);
      assert.deepEqual([greeted?.state, greeted?.result], ["completed", "hello ann"]);
      assert.equal(sold?.state, "completed");
      assert.deepEqual(sold?.saga?.steps.at(-1), {
        name: "charge",
        state: "completed",
        attempts: 1,
        output: 42,
      });
    });
  });
}

test("a bundle for the edge imports nothing, no built-in either", async () => {
  for (const worker of ["shop", "stall"]) {
    const bundle = await Bun.file(join(folder, `${worker}.js`)).text();
    assert.deepEqual(new Bun.Transpiler({ loader: "js" }).scanImports(bundle), []);
  }
});

test("edge hands the start to the platform, so that it outlives the request that began it", async () => {
  let resolve = () => {};
  class Slow extends Service {
    override name = "slow";
    override startup = () => new Promise<void>((done) => (resolve = done));
  }
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const handler = edge({ name: "market", services: [new Slow()], log });
  const handed: Promise<unknown>[] = [];
  const context = {
    waitUntil: (work: Promise<unknown>) => void handed.push(work),
    passThroughOnException() {},
    props: {},
  };
  const request = () => handler.fetch(new Request("http://market/health/ready"), {}, context);
  const answers = [request(), request()];
  assert.equal(handed.length, 1);
  await new Promise((turn) => setImmediate(turn));
  resolve();
  await handed[0];
  assert.deepEqual(
    (await Promise.all(answers)).map(({ status }) => status),
    [200, 200],
  );
});
