// What the health endpoints say, asked of the app itself without a socket.
import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../../src/drivers/clock.ts";
import { createGate } from "../../src/http/gate.ts";
import { createApp } from "../../src/http/app.ts";
import type { HealthSource } from "../../src/ports/health-source.ts";
import { testClock } from "../../src/testing.ts";
import { degraded, scriptedHealth, starting, stopping, up } from "../fixtures/http-snapshots.ts";
import { silentLog } from "./silent-log.ts";

/** What Bun's server hands over: a peer on this machine, or not. */
const LOCAL = { requestIP: () => ({ address: "127.0.0.1" }), pendingRequests: 0 };
const REMOTE = { requestIP: () => ({ address: "10.1.2.3" }), pendingRequests: 0 };
/** A server that listens there alone: whatever it says of the peer is not asked for. */
const ON_LOOPBACK = { ...REMOTE, hostname: "127.0.0.1" };
const SINCE = "2026-01-02T03:04:05.000Z";

function appOf(health: HealthSource) {
  return createApp({
    health,
    gate: createGate({ clock: systemClock() }),
    log: silentLog,
    service: "shop",
    version: "1.2.3",
  });
}

async function ask(path: string, options: { health: HealthSource; env?: unknown; accept?: string }) {
  const headers = options.accept === undefined ? {} : { accept: options.accept };
  const request = new Request(`http://localhost${path}`, { headers });
  const answer = await appOf(options.health).fetch(request, options.env ?? LOCAL);
  const { status } = answer;
  return {
    status,
    type: answer.headers.get("content-type"),
    body: (await answer.json()) as Record<string, unknown>,
  };
}

test("/health has every field, and 200 while degraded", async () => {
  const { status, body } = await ask("/health", { health: scriptedHealth(degraded()) });
  const { timestamp, ...rest } = body;
  assert.equal(status, 200);
  assert.equal(new Date(timestamp as string).toISOString(), timestamp);
  assert.deepEqual(rest, {
    status: "degraded",
    service: "shop",
    version: "1.2.3",
    uptimeMs: 1234,
    components: {
      api: { status: "healthy", state: "ready" },
      mail: { status: "degraded", state: "failed", since: SINCE, reason: "exit code 3 at 10.0.0.7" },
    },
  });
});

test("/health and /health/live are 503 when the runtime is unhealthy", async () => {
  const health = scriptedHealth(up({ status: "unhealthy" }));
  assert.equal((await ask("/health", { health })).status, 503);
  assert.deepEqual(await ask("/livez", { health }), {
    status: 503,
    type: "application/json",
    body: { status: "unhealthy" },
  });
});

test("/health/ready names what blocks it", async () => {
  for (const path of ["/health/ready", "/readyz"]) {
    const { status, body } = await ask(path, { health: scriptedHealth(starting()) });
    assert.equal(status, 503);
    assert.deepEqual(body, {
      status: "not_ready",
      blockedBy: [{ service: "api", reason: "waits for 10.0.0.7:5432", since: SINCE, attempts: 2 }],
    });
  }
});

test("every probe says so when it passes, by both of its names", async () => {
  const health = scriptedHealth();
  for (const [status, ...paths] of [
    ["ready", "/health/ready", "/readyz"],
    ["alive", "/health/live", "/livez"],
    ["started", "/health/startup", "/startupz"],
  ]) {
    for (const path of paths) {
      assert.deepEqual(await ask(path, { health }), {
        status: 200,
        type: "application/json",
        body: { status },
      });
    }
  }
});

test("liveness and startup hold through a stop, readiness does not", async () => {
  const health = scriptedHealth(stopping());
  const statuses = [];
  for (const path of ["/health/live", "/health/startup", "/health/ready"]) {
    statuses.push((await ask(path, { health })).status);
  }
  assert.deepEqual(statuses, [200, 200, 503]);
});

test("an answer follows the snapshot", async () => {
  const health = scriptedHealth(starting());
  const app = appOf(health);
  const status = async () => (await app.fetch(new Request("http://a/readyz"), LOCAL)).status;
  assert.equal(await status(), 503);
  health.show(up());
  assert.equal(await status(), 200);
  health.show(stopping());
  assert.equal(await status(), 503);
});

test("others than this machine see names and states only, also when all is well", async () => {
  const health = scriptedHealth();
  const { body } = await ask("/health", { health, env: REMOTE });
  const { timestamp, ...rest } = body;
  assert.equal(new Date(timestamp as string).toISOString(), timestamp);
  assert.deepEqual(rest, {
    status: "healthy",
    service: "shop",
    components: { api: { status: "healthy", state: "ready" } },
  });
  for (const path of ["/health", "/readyz", "/livez", "/startupz"]) {
    const draft = await ask(path, { health, env: REMOTE, accept: "application/health+json" });
    assert.deepEqual([draft.body["serviceId"], draft.body["version"]], ["shop", undefined], path);
  }
});

test("why and since when are for this machine only", async () => {
  for (const [env, shown] of [
    [LOCAL, true],
    [{ remoteAddr: { hostname: "::1" }, completed: Promise.resolve() }, true],
    [{ incoming: { socket: { remoteAddress: "::ffff:127.0.0.1" } } }, true],
    [REMOTE, false],
    [ON_LOOPBACK, true],
    [{ ...REMOTE, hostname: "0.0.0.0" }, false],
    [undefined, false],
  ] as const) {
    for (const path of ["/health", "/health/ready"]) {
      for (const accept of ["application/json", "application/health+json"]) {
        const options = { health: scriptedHealth(starting()), accept };
        const answer = await appOf(options.health).fetch(
          new Request(`http://a${path}`, { headers: { accept } }),
          env,
        );
        const text = await answer.text();
        for (const detail of ["10.0.0.7", SINCE]) {
          assert.equal(text.includes(detail), shown, `${detail} at ${path} ${accept} ${JSON.stringify(env)}`);
        }
      }
    }
  }
});

test("what a proxy of this machine passes on is not for this machine only", async () => {
  for (const env of [LOCAL, ON_LOOPBACK]) {
    for (const name of ["forwarded", "x-forwarded-for", "x-forwarded-proto", "x-real-ip", "via"]) {
      const request = new Request("http://a/health", { headers: { [name]: "for=10.1.2.3" } });
      const text = await (await appOf(scriptedHealth(degraded())).fetch(request, env)).text();
      assert.ok(!text.includes("10.0.0.7"), `${name} ${JSON.stringify(env)}`);
    }
  }
});

test("one client's view is not served to the next", async () => {
  const app = appOf(scriptedHealth(starting()));
  const body = async (env: unknown) => (await app.fetch(new Request("http://a/readyz"), env)).text();
  assert.match(await body(LOCAL), /10\.0\.0\.7/);
  assert.doesNotMatch(await body(REMOTE), /10\.0\.0\.7/);
  assert.match(await body(LOCAL), /10\.0\.0\.7/);
});

test("health+json is given to who accepts it", async () => {
  const accept = "application/health+json, application/json;q=0.5";
  const { status, type, body } = await ask("/health", { health: scriptedHealth(degraded()), accept });
  assert.equal(status, 200);
  assert.equal(type, "application/health+json");
  const check = { componentType: "component" };
  assert.deepEqual(body, {
    status: "warn",
    version: "1.2.3",
    serviceId: "shop",
    checks: {
      "api:state": [{ ...check, observedValue: "ready", status: "pass" }],
      "mail:state": [
        { ...check, observedValue: "failed", status: "warn", time: SINCE, output: "exit code 3 at 10.0.0.7" },
      ],
    },
  });
});

test("health+json is not given to who refuses it, or likes ours better", async () => {
  for (const accept of ["application/json, application/health+json;q=0.5", "application/health+json;q=0"])
    assert.equal((await ask("/health", { health: scriptedHealth(), accept })).type, "application/json");
});

test("health+json fails with the status of its endpoint", async () => {
  const accept = "application/health+json";
  const { status, body } = await ask("/readyz", { health: scriptedHealth(starting()), accept });
  assert.equal(status, 503);
  assert.equal(body["status"], "fail");
  assert.equal(body["output"], "api: waits for 10.0.0.7:5432");
  assert.equal((await ask("/livez", { health: scriptedHealth(starting()), accept })).body["status"], "pass");
});

test("nothing is measured for who does not ask about the components", async () => {
  let looks = 0;
  const health = { ...scriptedHealth(), measured: () => (looks++, degraded()) };
  for (const path of ["/readyz", "/livez", "/startupz"])
    assert.equal((await ask(path, { health })).status, 200);
  assert.equal(looks, 0);
  assert.equal((await ask("/health", { health })).body["status"], "degraded");
  await ask("/readyz", { health, accept: "application/health+json" });
  assert.equal(looks, 2);
});

test("HEAD has the length that GET has, and no content", async () => {
  for (const path of ["/health/live", "/health?verbose"]) {
    const request = new Request(`http://localhost${path}`, { method: "HEAD" });
    const answer = await appOf(scriptedHealth()).fetch(request, LOCAL);
    assert.equal(answer.body, null);
    assert.ok(Number(answer.headers.get("content-length")) > 0);
  }
});

test("10,000 concurrent probes read the snapshot and the clock, and render once", async () => {
  let rendered = 0;
  const snapshot = degraded();
  const components = new Proxy(snapshot.components, {
    ownKeys(target) {
      rendered += 1;
      return Reflect.ownKeys(target);
    },
  });
  const watched = { ...snapshot, components };
  const called = new Set<PropertyKey>();
  const health = new Proxy<HealthSource>(scriptedHealth(watched), {
    get(target, name) {
      called.add(name);
      return Reflect.get(target, name) as unknown;
    },
  });
  const app = appOf(health);
  const probe = async () => (await app.fetch(new Request("http://a/health"), LOCAL)).status;
  const statuses = await Promise.all(Array.from({ length: 10_000 }, probe));
  assert.ok(statuses.every((status) => status === 200));
  assert.deepEqual(called, new Set(["measured", "snapshot", "uptimeMs"]));
  // Once to see whether there is something to hide, once to write it down.
  assert.equal(rendered, 2);
});

test("only questions about readiness make a prober, by whichever of its names", async () => {
  const gate = createGate({ clock: testClock() });
  const app = createApp({
    health: scriptedHealth(),
    gate,
    log: silentLog,
    service: "shop",
    version: "1.2.3",
  });
  const knock = (path: string, method = "GET") =>
    app.fetch(new Request(`http://localhost${path}`, { method }), REMOTE);
  for (const path of ["/health", "/health/live", "/livez", "/health/startup", "/startupz", "/"])
    for (let count = 0; count < 3; count++) await knock(path);
  for (let count = 0; count < 3; count++) await knock("/health/ready", "POST");
  assert.deepEqual(gate.probers(), []);
  await knock("/health/ready");
  await knock("/readyz", "HEAD");
  assert.deepEqual(
    gate.probers().map(({ source }) => source),
    ["10.1.2.3"],
  );
});

test("/health?verbose adds the container's limits and the lag of the event loop, on this machine only", async () => {
  const health = { ...scriptedHealth(), limits: () => ({ memoryBytes: 1024, cpus: 1.5 }) };
  const { body } = await ask("/health?verbose", { health });
  assert.deepEqual(body["limits"], { memoryBytes: 1024, cpus: 1.5 });
  assert.equal(typeof (body["eventLoop"] as { lagMs: number }).lagMs, "number");
  assert.equal(body["status"], "healthy");
  for (const [path, env] of [
    ["/health?verbose", REMOTE],
    ["/health?verbosely", LOCAL],
    ["/health", LOCAL],
  ] as const) {
    assert.equal((await ask(path, { health, env })).body["limits"], undefined, path);
  }
});

test("a verbose answer tells its own length, to HEAD by itself, and closes its connection once the runtime drains", async () => {
  const gate = createGate({ clock: systemClock() });
  const health = { ...scriptedHealth(), limits: () => ({ memoryBytes: 1024 }) };
  const app = createApp({ health, gate, log: silentLog, service: "shop", version: "1.2.3" });
  const knock = async (method: "GET" | "HEAD") => {
    const answer = await app.fetch(new Request("http://localhost/health?verbose", { method }), LOCAL);
    const { headers } = answer;
    const told = { length: headers.get("content-length"), connection: headers.get("connection") };
    return { ...told, bytes: (await answer.bytes()).length };
  };
  const open = await knock("GET");
  // The server counts.
  assert.deepEqual([open.length, open.connection], [null, null]);
  const head = await knock("HEAD");
  assert.equal(head.bytes, 0);
  // The lag has a digit more or less.
  const length = Number(head.length);
  assert.ok(Math.abs(length - open.bytes) < 10, `${length}, and not some ${open.bytes}`);
  gate.drain();
  assert.equal((await knock("GET")).connection, "close");
});
