import assert from "node:assert/strict";
import { test } from "node:test";
import type { Hono } from "hono";
import { createApp } from "../../src/http/app.ts";
import { createGate } from "../../src/http/gate.ts";
import { createTraefik } from "../../src/http/traefik.ts";
import { systemClock } from "../../src/drivers/clock.ts";
import type { HealthSource } from "../../src/ports/health-source.ts";
import { silentLog } from "./silent-log.ts";

const DOCUMENT = '{"http":{}}';
/** What a server hands over beside the request: who the peer is. */
const from = (address: string) => ({ requestIP: () => ({ address }) });
const HERE = from("127.0.0.1");
const ELSEWHERE = from("10.0.0.9");

const health: HealthSource = {
  snapshot: () => ({
    state: "started",
    started: true,
    ready: true,
    status: "healthy",
    blockedBy: [],
    components: { web: { status: "healthy", state: "ready", sinceMs: 0 } },
  }),
  uptimeMs: () => 0,
};

interface Asked {
  method?: string;
  headers?: Record<string, string>;
}

function appOf(options: { token?: string; document?: () => string } = {}) {
  const gate = createGate({ clock: systemClock() });
  const traefik = createTraefik({ document: () => DOCUMENT, ...options });
  const app = createApp({ service: "shop", version: "1", health, gate, log: silentLog, traefik });
  const ask = (init: Asked, env: object) =>
    app.fetch(
      new Request("http://localhost/traefik", { ...init, headers: { host: "localhost", ...init.headers } }),
      env,
    );
  return { app, ask, gate };
}

test("GET /traefik gives the document with exactly 200, to this machine without a token", async () => {
  const answer = await appOf().ask({}, HERE);
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get("content-type"), "application/json");
  assert.equal(answer.headers.get("cache-control"), "no-store");
  assert.equal(await answer.text(), DOCUMENT);
});

test("off loopback it takes the token, and without one says how to set it", async () => {
  const without = await appOf().ask({}, ELSEWHERE);
  assert.equal(without.status, 401);
  assert.match(await without.text(), /set it, and have Traefik send it as Authorization: Bearer/);
  const { ask } = appOf({ token: "t0" });
  const wrong = await ask({ headers: { authorization: "Bearer t1" } }, ELSEWHERE);
  assert.equal(wrong.status, 401);
  assert.ok(!(await wrong.text()).includes("detail"));
  assert.equal((await ask({ headers: { authorization: "Bearer t0" } }, ELSEWHERE)).status, 200);
  assert.equal((await ask({}, HERE)).status, 200);
});

test("a request that a proxy of this machine has passed on, or a web page has made, is not of this machine", async () => {
  const { ask } = appOf();
  const marks: Record<string, string>[] = [
    { "x-forwarded-for": "10.0.0.9" },
    { via: "1.1 proxy" },
    { origin: "http://evil.example" },
    { host: "evil.example" },
  ];
  for (const headers of marks) {
    assert.equal((await ask({ headers }, HERE)).status, 401, JSON.stringify(headers));
  }
});

test("HEAD has no body, and nothing else is taken", async () => {
  const { ask } = appOf();
  const head = await ask({ method: "HEAD" }, HERE);
  assert.equal(head.status, 200);
  assert.equal(await head.text(), "");
  assert.equal((await ask({ method: "POST" }, HERE)).status, 405);
});

test("it answers while the runtime stops and refuses everything else", async () => {
  const { ask, app, gate } = appOf();
  gate.drain();
  gate.refuse();
  assert.equal((await ask({}, HERE)).status, 200);
  assert.equal((await app.fetch(new Request("http://localhost/other"), HERE)).status, 503);
});

test("what cannot be said is 503, at which Traefik keeps what it knows", async () => {
  const document = () => {
    throw new Error("the store is lost");
  };
  const answer = await appOf({ document }).ask({}, HERE);
  assert.equal(answer.status, 503);
  assert.match(await answer.text(), /cannot say what the routes are: the store is lost/);
});

test("no service can have the path, while it is the runtime's", async () => {
  const claim = (app: Hono) => void app.get("/traefik", (c) => c.text("mine"));
  assert.throws(() => appOf().app.mount("web", claim), /"\/traefik" belongs to the runtime/);
  const gate = createGate({ clock: systemClock() });
  const free = createApp({ service: "shop", version: "1", health, gate, log: silentLog });
  free.mount("web", claim);
  assert.equal(await (await free.fetch(new Request("http://localhost/traefik"))).text(), "mine");
});
