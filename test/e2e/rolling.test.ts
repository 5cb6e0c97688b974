// Rolling restarts behind real proxies, under load: two instances with everything as it comes, and no request lost. The long
// form, with 100,000 requests and the stops that lose some, is `bun run bench rolling`.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import test from "node:test";
import { installDebian } from "./support/debian.ts";
import { Haproxy } from "./support/haproxy.ts";
import { load, WEB } from "./support/load.ts";
import { Nginx } from "./support/nginx.ts";
import { freePort } from "./support/ports.ts";
import { type Runtime, start } from "./support/runtime.ts";

const RESTARTS = 4;
const REQUESTS = 2_000;

function instance(port: number): Runtime {
  return start({
    files: { "runtime.yaml": "services: { web: { entrypoint: ./web.ts } }", "web.ts": WEB },
    env: { PORT: String(port) },
  });
}

test(
  "behind HAProxy, which asks: restarting two instances in turn loses no request",
  { timeout: 60_000 },
  async () => {
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
  },
);

test(
  "behind nginx, which asks nobody: restarting two instances in turn loses no request",
  { timeout: 60_000 },
  async () => {
    await using instances = new AsyncDisposableStack();
    const [first, second] = [await freePort(), await freePort()];
    const running = new Map([first, second].map((port) => [port, instances.use(instance(port))]));
    for (const each of running.values()) await each.started();
    await using nginx = await Nginx.start([first, second]);
    const clients = load(nginx.url);
    for (let turn = 0; turn < RESTARTS || clients.count < REQUESTS; turn++) {
      const port = turn % 2 === 0 ? first : second;
      const outcome = await running.get(port)!.stop();
      assert.equal(outcome.code, 0, outcome.stdout);
      running.set(port, await instances.use(instance(port)).started());
      // It comes back to one that it has given up after a second.
      await new Promise((resolve) => setTimeout(resolve, 1_100));
    }
    assert.deepEqual(await clients.stop(), []);
    assert.ok(clients.count >= REQUESTS);
  },
);
