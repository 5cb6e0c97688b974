// Routes as whoever runs the executable sees them: told at /traefik and in Redis, taken back in time, refused where they cannot be.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient } from "redis";
import { RedisServer } from "../redis/server.ts";
import { haraka, start } from "./support/runtime.ts";

const API = `
export default {
  startup() {
    this.runtime.routes.add({ rule: "Path(\`/from/code\`)" });
    this.runtime.log.info("is " + this.runtime.routes.urlOf("api") + ", not " + this.runtime.routes.serviceOf("http://x/"));
  },
  routes(app) { app.get("/api", (c) => c.text("here")); },
};`;

const yamlOf = (traefik: string) => `
runtime: { name: shop, shutdown: { drain: 0s } }
discovery: { advertise: 10.0.0.7, traefik: ${traefik}, registry: { ttl: 2s, heartbeat: 100ms } }
services:
  api:
    entrypoint: ./api.ts
    routes: [{ rule: "Host(\`shop.example\`) && PathPrefix(\`/api\`)" }]
`;

test("/traefik tells this machine, and who has the token, of routes from the config and from code", async () => {
  await using runtime = start({ files: { "runtime.yaml": yamlOf("{ token: t0 }"), "api.ts": API } });
  await runtime.record("api", "is http://shop.example/api, not undefined");
  await runtime.until("/health/ready", 200);
  const answer = await runtime.get("/traefik");
  assert.equal(answer.status, 200);
  const text = await answer.text();
  const { http } = JSON.parse(text) as { http: Record<string, Record<string, unknown>> };
  const port = new URL(await runtime.url()).port;
  assert.deepEqual(http["routers"], {
    "shop-api": { rule: "Host(`shop.example`) && PathPrefix(`/api`)", service: "shop-api" },
    "shop-api-2": { rule: "Path(`/from/code`)", service: "shop-api" },
  });
  assert.deepEqual(http["services"]?.["shop-api"], {
    loadBalancer: {
      healthCheck: { interval: "1s", path: "/health/ready", timeout: "500ms", unhealthyInterval: "1s" },
      servers: [{ url: `http://10.0.0.7:${port}` }],
    },
  });
  assert.equal(await (await runtime.get("/traefik")).text(), text);
  assert.equal((await runtime.get("/traefik", { "x-forwarded-for": "10.0.0.9" })).status, 401);
  const known = { "x-forwarded-for": "10.0.0.9", authorization: "Bearer t0" };
  assert.equal((await runtime.get("/traefik", known)).status, 200);
});

test("a reload changes where requests come from, and restarts nothing for it", async () => {
  const yaml = (path: string) => `
runtime: { name: shop }
discovery: { traefik: {} }
services: { api: { command: [sleep, "1000"], port: 7001, routes: [{ rule: "PathPrefix(\`${path}\`)" }] } }
`;
  await using runtime = start({ files: { "runtime.yaml": yaml("/api") } });
  await runtime.until("/health/ready", 200);
  runtime.write("runtime.yaml", yaml("/v2")).signal("SIGHUP");
  await runtime.record("shop", /^config reloaded: no service has changed/);
  const { http } = (await (await runtime.get("/traefik")).json()) as { http: { routers: unknown } };
  assert.deepEqual(http.routers, { "shop-api": { rule: "PathPrefix(`/v2`)", service: "shop-api" } });
});

test("without discovery.traefik the path is nobody's", async () => {
  const yaml = "services: { api: { entrypoint: ./api.ts } }";
  await using runtime = start({ files: { "runtime.yaml": yaml, "api.ts": API } });
  await runtime.started();
  assert.equal((await runtime.get("/traefik")).status, 404);
});

test("a second route of the same rule is refused, with the places of both", async () => {
  const yaml = `services:
  a: { entrypoint: ./a.ts, routes: [{ rule: "PathPrefix(\`/x\`)" }] }
  b: { entrypoint: ./b.ts, routes: [{ rule: 'PathPrefix("/x")' }] }
`;
  const { code, stderr } = await haraka({ args: ["validate"], files: { "runtime.yaml": yaml } });
  assert.equal(code, 2);
  assert.match(
    stderr,
    /^runtime\.yaml:3:45 services\.b\.routes: cannot route PathPrefix\("\/x"\) to "b": "a" has the same rule with the same priority, at runtime\.yaml:2:45; change one of them/,
  );
});

test("in Redis: there when ready, gone before a stop has ended, and taken out by another when it was killed", async () => {
  await using redis = await RedisServer.start();
  const client = createClient({ url: redis.url });
  await client.connect();
  const names = async () =>
    (await client.keys("traefik/http/services/shop-api-*/loadbalancer/servers/0/url")).length;
  const until = async (count: number) => {
    while ((await names()) !== count);
  };
  try {
    const files = { "runtime.yaml": yamlOf(`{ redis: { url: "${redis.url}" } }`), "api.ts": API };
    await using one = start({ files });
    await using two = start({ files });
    await until(2);
    const rule = await client.get("traefik/http/routers/shop-api/rule");
    assert.equal(rule, "Host(`shop.example`) && PathPrefix(`/api`)");
    one.signal("SIGKILL");
    await until(1);
    const { code, stdout } = await two.stop();
    assert.equal(code, 0, stdout);
    assert.deepEqual(await client.keys("*"), ["traefik/http/middlewares/haraka-sentinel/retry/attempts"]);
  } finally {
    client.destroy();
  }
});

test("a Redis that is not there stops nothing, and is said once", async () => {
  const yaml = yamlOf('{ redis: { url: "redis://127.0.0.1:1" } }');
  await using runtime = start({ files: { "runtime.yaml": yaml, "api.ts": API } });
  await runtime.record("shop", /^cannot publish routes to redis:\/\/127\.0\.0\.1:1: /);
  await runtime.until("/health/ready", 200);
  const { code, stdout } = await runtime.stop();
  assert.equal(code, 0);
  assert.equal(stdout.match(/cannot publish routes/g)?.length, 1);
});

test("a drain that does not fit is said at the start", async () => {
  const yaml = yamlOf("{}").replace("drain: 0s", "budget: 9s");
  await using runtime = start({ files: { "runtime.yaml": yaml, "api.ts": API } });
  await runtime.record(
    "shop",
    /a stop will drain for 4\.5s instead of 7s, and may lose requests.*set that to at least 14s/,
  );
});
