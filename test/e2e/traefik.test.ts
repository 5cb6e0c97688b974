// A real Traefik, where there is one on PATH: it hears of routes through both of its providers, and of two instances that restart in turn
// no request is lost. What it does by the clock is held to its model in `test/discovery/traefik-model.test.ts` on every machine.
import assert from "node:assert/strict";
import { test } from "node:test";
import { RedisServer } from "../redis/server.ts";
import { load, WEB } from "./support/load.ts";
import { freePort } from "./support/ports.ts";
import { type Runtime, start } from "./support/runtime.ts";
import { RealTraefik, traefikProgram, up } from "./support/traefik.ts";

const RESTARTS = 4;

function instance(port: number, traefik: string, more = ""): Runtime {
  const yaml = `
runtime: { name: shop }
http: { host: 127.0.0.1 }
discovery: { traefik: ${traefik} }
${more}
services:
  web:
    entrypoint: ./web.ts
    routes: [{ rule: "PathPrefix(\`/\`)", entryPoints: [web] }]
`;
  return start({ files: { "runtime.yaml": yaml, "web.ts": WEB }, env: { PORT: String(port) } });
}

const program = traefikProgram();
if (program === undefined) {
  test("a real Traefik: none on PATH, its model stands in for it", { skip: true }, () => {});
} else {
  test(
    "through Redis: two instances that restart in turn lose no request, and the last one leaves 404",
    { timeout: 120_000 },
    async () => {
      await using redis = await RedisServer.start();
      await using traefik = await RealTraefik.start(program, {
        redis: { endpoints: [`127.0.0.1:${redis.port}`], rootKey: "traefik" },
      });
      await using instances = new AsyncDisposableStack();
      const told = `{ redis: { url: "${redis.url}" } }`;
      const ports = [await freePort(), await freePort()];
      const running = new Map(ports.map((port) => [port, instances.use(instance(port, told))]));
      const isUp = (...wanted: number[]) =>
        traefik.until((known) => wanted.every((port) => up(known).includes(`http://127.0.0.1:${port}`)));
      await isUp(...ports);
      const clients = load(traefik.url);
      for (let turn = 0; turn < RESTARTS; turn++) {
        const port = ports[turn % 2] ?? 0;
        const outcome = await running.get(port)!.stop();
        assert.equal(outcome.code, 0, outcome.stdout);
        assert.match(outcome.stdout, /draining for 3000ms/);
        running.set(port, instances.use(instance(port, told)));
        await isUp(port);
      }
      assert.deepEqual(await clients.stop(), []);
      for (const each of running.values()) await each.stop();
      await traefik.until(({ routers = {} }) => !("shop-web@redis" in routers));
      assert.equal((await fetch(traefik.url)).status, 404);
    },
  );

  test(
    "through Redis: one that was killed gets nothing more once a check has failed, long before its lease is over",
    { timeout: 60_000 },
    async () => {
      await using redis = await RedisServer.start();
      await using traefik = await RealTraefik.start(program, {
        redis: { endpoints: [`127.0.0.1:${redis.port}`], rootKey: "traefik" },
      });
      const told = `{ redis: { url: "${redis.url}" } }`;
      const [dead, alive] = [await freePort(), await freePort()];
      await using first = instance(dead, told);
      await using second = instance(alive, told);
      const urls = [dead, alive].map((port) => `http://127.0.0.1:${port}`);
      await traefik.until((known) => urls.every((url) => up(known).includes(url)));
      first.signal("SIGKILL");
      await first.ended;
      const known = await traefik.until((each) => !up(each).includes(urls[0] ?? ""));
      assert.ok(
        Object.keys(known.services ?? {}).filter((name) => name.startsWith("shop-web-")).length === 2,
      );
      const clients = load(traefik.url);
      while (clients.count < 500) await new Promise((resolve) => setTimeout(resolve, 10));
      assert.deepEqual(await clients.stop(), []);
      assert.equal((await second.stop()).code, 0);
    },
  );

  test(
    "over HTTP: it hears of a service that is ready, and sends nothing to a runtime that drains",
    { timeout: 120_000 },
    async () => {
      const port = await freePort();
      await using traefik = await RealTraefik.start(program, {
        http: { endpoint: `http://127.0.0.1:${port}/traefik`, pollInterval: "5s" },
      });
      await using runtime = instance(port, "{}");
      await traefik.until((known) => up(known).includes(`http://127.0.0.1:${port}`));
      const clients = load(traefik.url);
      const ended = runtime.stop();
      await runtime.record("shop", /draining for 7000ms/);
      await traefik.until((known) => up(known).length === 0);
      const outcome = await ended;
      assert.equal(outcome.code, 0, outcome.stdout);
      const problems = await clients.stop();
      // All that went wrong is that nobody is there: none of it was sent to one who would not have it.
      assert.deepEqual(
        new Set(problems.map((problem) => problem.trim())),
        new Set(["503 no available server"]),
      );
    },
  );

  test(
    "over HTTP: one of two that share a store tells of both, and they lose no request as they restart in turn",
    { timeout: 120_000 },
    async () => {
      await using redis = await RedisServer.start();
      const ports = [await freePort(), await freePort()];
      await using traefik = await RealTraefik.start(program, {
        http: { endpoint: `http://127.0.0.1:${ports[0]}/traefik`, pollInterval: "5s" },
      });
      await using instances = new AsyncDisposableStack();
      const store = `store: { driver: redis, url: "${redis.url}" }`;
      const running = new Map(ports.map((port) => [port, instances.use(instance(port, "{}", store))]));
      const isUp = (...wanted: number[]) =>
        traefik.until((known) => wanted.every((port) => up(known).includes(`http://127.0.0.1:${port}`)));
      await isUp(...ports);
      const clients = load(traefik.url);
      for (const port of ports) {
        const outcome = await running.get(port)!.stop();
        assert.equal(outcome.code, 0, outcome.stdout);
        running.set(port, instances.use(instance(port, "{}", store)));
        await isUp(port);
      }
      assert.deepEqual(await clients.stop(), []);
    },
  );
}
