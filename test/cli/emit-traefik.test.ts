// What `haraka emit traefik` writes: where Traefik hears of the routes, or the routes themselves.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import { folder, SHOP } from "./emit-folder.ts";

test("emit traefik: where the runtime does not publish, the routes are in a file", async () => {
  using shop = folder({ "runtime.yaml": SHOP });
  const { code, stdout } = await shop.emit("traefik", "-o", "proxy", "--json");
  assert.equal(code, 0);
  const { files } = JSON.parse(stdout) as { files: Record<string, string> };
  assert.deepEqual(Object.keys(files), readdirSync(join(shop.path, "proxy")).toSorted().toReversed());
  const routes = parse(files["routes.yaml"] ?? "") as { http: { services: Record<string, unknown> } };
  assert.deepEqual(Object.keys(routes.http.services), ["My-Shop-api", "My-Shop-web"]);
  const started = parse(files["traefik.yaml"] ?? "") as Record<string, unknown>;
  assert.deepEqual(started["providers"], { file: { filename: "routes.yaml", watch: true } });
  assert.match((await shop.emit("traefik")).stderr, /cannot print traefik\.yaml and routes\.yaml as one/);
});

test("emit traefik: where it publishes, Traefik is told where to hear of it, and never the token", async () => {
  const published = "discovery: { traefik: { token: hush } }";
  using shop = folder({ "runtime.yaml": `${SHOP}${published}\n` });
  const { stdout } = await shop.emit("traefik");
  const { providers } = parse(stdout) as { providers: unknown };
  assert.deepEqual(providers, {
    http: {
      endpoint: "http://my-shop:8080/traefik",
      headers: { Authorization: "Bearer ${TRAEFIK_TOKEN}" },
    },
  });
  assert.ok(!stdout.includes("hush"));
});

test("emit traefik: sentinels that the store has lead Traefik, too, and never with a password", async () => {
  const nodes = "['redis://me:hush@s1:26379/2', 'redis://me:hush@s2:26379/2']";
  const store = `store: { driver: redis, sentinel: { master: main, nodes: ${nodes} } }\n`;
  using shop = folder({ "runtime.yaml": `${SHOP}${store}discovery: { traefik: { redis: {} } }\n` });
  const { stdout } = await shop.emit("traefik");
  const { providers } = parse(stdout) as { providers: unknown };
  assert.deepEqual(providers, {
    redis: {
      endpoints: ["s1:26379", "s2:26379"],
      rootKey: "traefik",
      sentinel: { masterName: "main" },
      db: 2,
      username: "me",
      password: "${REDIS_PASSWORD}",
    },
  });
  assert.match(stdout, /^# .*write the password of that Redis in place of \$\{REDIS_PASSWORD\}/m);
  assert.ok(!stdout.includes("hush"));
});

test("emit traefik: the runtime is found where it says, else where it listens", async () => {
  const listening = SHOP.replace("port: 8080", "port: 8080, host: 127.0.0.1");
  for (const [yaml, endpoint] of [
    [`${listening}discovery: { traefik: {} }`, "http://127.0.0.1:8080/traefik"],
    [`${SHOP}discovery: { advertise: 'fd00::7', traefik: { token: t } }`, "http://[fd00::7]:8080/traefik"],
  ] as const) {
    using shop = folder({ "runtime.yaml": yaml });
    const { providers } = parse((await shop.emit("traefik")).stdout) as { providers: { http: object } };
    assert.equal((providers.http as { endpoint: string }).endpoint, endpoint);
  }
  using shop = folder({ "runtime.yaml": listening });
  const { files } = JSON.parse((await shop.emit("traefik", "-o", ".", "--json")).stdout) as {
    files: Record<string, string>;
  };
  assert.match(files["routes.yaml"] ?? "", /url: http:\/\/127\.0\.0\.1:7001/);
});
