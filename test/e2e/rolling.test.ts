// Rolling restarts behind a real proxy, under load: two instances with everything as it comes, and no request lost. The long
// form, with 100,000 requests and the stops that lose some, is `bun run bench rolling`.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import test from "node:test";
import { installDebian } from "./support/debian.ts";
import { Haproxy } from "./support/haproxy.ts";
import { freePort } from "./support/ports.ts";
import { type Runtime, start } from "./support/runtime.ts";

const CLIENTS = 8;
const RESTARTS = 4;
const REQUESTS = 2_000;

const WEB = `
export default {
  routes(app) {
    app.get("/", async (c) => {
      await new Promise((resolve) => setTimeout(resolve, 2));
      return c.text("here");
    });
  },
};`;

function instance(port: number): Runtime {
  return start({
    files: { "runtime.yaml": "services: { web: { entrypoint: ./web.ts } }", "web.ts": WEB },
    env: { PORT: String(port) },
  });
}

/** Clients that ask one request after the other, over kept connections, until they are told to stop. */
function load(url: string) {
  const stop = new AbortController();
  const problems: string[] = [];
  let count = 0;
  const client = async () => {
    while (!stop.signal.aborted) {
      count += 1;
      try {
        const answer = await fetch(url);
        const text = await answer.text();
        if (answer.status !== 200 || text !== "here") problems.push(`${answer.status} ${text}`);
      } catch (error) {
        problems.push(String(error));
      }
    }
  };
  const clients = Array.from({ length: CLIENTS }, client);
  return {
    get count() {
      return count;
    },
    async stop() {
      stop.abort();
      await Promise.all(clients);
      return problems;
    },
  };
}

test("restarting two instances in turn loses no request", { timeout: 60_000 }, async () => {
  installDebian(["haproxy"]);
  const program = ["/usr/sbin/haproxy", "/usr/local/sbin/haproxy"].find((path) => existsSync(path));
  assert.ok(program, "haproxy is installed");
  await using instances = new AsyncDisposableStack();
  const [first, second] = [await freePort(), await freePort()];
  const running = new Map([first, second].map((port) => [port, instances.use(instance(port))]));
  await using haproxy = await Haproxy.start(program, [first, second]);
  for (const port of running.keys()) await haproxy.up(port, { forS: 2 });
  const clients = load(haproxy.url);
  for (let turn = 0; turn < RESTARTS || clients.count < REQUESTS; turn++) {
    const port = turn % 2 === 0 ? first : second;
    const outcome = await running.get(port)!.stop();
    assert.equal(outcome.code, 0, outcome.stdout);
    assert.match(outcome.stdout, /draining until whoever asks readiness knows/);
    running.set(port, instances.use(instance(port)));
    await haproxy.up(port);
  }
  assert.deepEqual(await clients.stop(), []);
  assert.ok(clients.count >= REQUESTS);
});
