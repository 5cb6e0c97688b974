// What module services mount: who may have which path, and who answers when. Asked of the app itself without a socket.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import { systemClock } from "../../src/drivers/clock.ts";
import { UsageError } from "../../src/errors.ts";
import { createApp } from "../../src/http/app.ts";
import { createGate } from "../../src/http/gate.ts";
import type { Log } from "../../src/ports/log.ts";
import { scriptedHealth, starting, stopping, up } from "../fixtures/http-snapshots.ts";
import { silentLog } from "./silent-log.ts";

/** `api` and `web` are up. */
function rig() {
  const { api } = up().components;
  const health = scriptedHealth(up({ components: { api: api!, web: api! } }));
  const errors: string[] = [];
  const error: Log["error"] = (message, fields) =>
    void errors.push(`${String(fields?.["service"])}: ${message}`);
  const log = { ...silentLog, error };
  const gate = createGate({ clock: systemClock() });
  const app = createApp({ health, gate, log, service: "shop", version: "1" });
  const ask = async (path: string, init?: RequestInit) => {
    const answer = await app.fetch(new Request(`http://localhost${path}`, init));
    return [answer.status, await answer.text()] as const;
  };
  return { health, app, ask, errors };
}

test("mount adds routes after the first request", async () => {
  const { app, ask } = rig();
  assert.equal((await ask("/hello"))[0], 404);
  app.mount("api", (routes) => routes.get("/hello", (c) => c.text("hi")));
  assert.deepEqual(await ask("/hello"), [200, "hi"]);
});

test("mount again replaces a service's routes", async () => {
  const { app, ask } = rig();
  app.mount("api", (routes) => routes.get("/old", (c) => c.text("old")));
  app.mount("api", (routes) => routes.get("/new", (c) => c.text("new")));
  assert.equal((await ask("/old"))[0], 404);
  assert.deepEqual(await ask("/new"), [200, "new"]);
});

test("a route answers 503 unless its service is up", async () => {
  const { app, ask, health } = rig();
  app.mount("api", (routes) => routes.get("/hello", (c) => c.text("hi")));
  for (const snapshot of [starting(), stopping(), up({ components: {} })]) {
    health.show(snapshot);
    const [status, body] = await ask("/hello");
    assert.equal(status, 503);
    assert.match(body, /"title":"Service Unavailable"/);
  }
});

test("an unmatched path is 503 while the runtime starts and 404 from then on", async () => {
  const { ask, health } = rig();
  health.show(starting());
  assert.equal((await ask("/nothing"))[0], 503);
  health.show(up());
  assert.equal((await ask("/nothing"))[0], 404);
});

for (const path of [
  "/health",
  "/health/mine",
  "/readyz",
  "/livez",
  "/startupz",
  "/api/v1",
  "/api/v1/services",
]) {
  test(`mount refuses ${path} and names service and path`, async () => {
    const { app, ask } = rig();
    const mount = () =>
      app.mount("api", (routes) => {
        routes.get("/fine", (c) => c.text("fine"));
        routes.post(path, (c) => c.text("mine"));
      });
    assert.throws(mount, (error) => {
      return error instanceof UsageError && error.message.includes(`"POST ${path}" of service "api"`);
    });
    assert.equal((await ask("/fine"))[0], 404, "nothing of it is mounted");
  });
}

test("mount leaves paths that only begin alike", async () => {
  const { app, ask } = rig();
  app.mount("api", (routes) =>
    routes.get("/healthcare", (c) => c.text("mine")).get("/api/v10", (c) => c.text("mine")),
  );
  assert.deepEqual(await ask("/healthcare"), [200, "mine"]);
  assert.deepEqual(await ask("/api/v10"), [200, "mine"]);
});

test("a service that takes every path does not take health", async () => {
  const { app, ask } = rig();
  app.mount("api", (routes) => routes.use(async (_, next) => next()).all("*", (c) => c.text("mine")));
  assert.match((await ask("/health"))[1], /"status":"healthy"/);
  assert.equal((await ask("/readyz", { method: "DELETE" }))[0], 405);
  assert.deepEqual(await ask("/other"), [200, "mine"]);
});

for (const [name, register] of [
  ["every path", (routes) => routes.all("*", (c) => c.text("mine"))],
  ["parameters", (routes) => routes.get("/:a/:b", (c) => c.text("mine")).get("/:a", (c) => c.text("mine"))],
  ["middleware that answers", (routes) => routes.use("*", async (c, _next) => c.text("mine"))],
] as const satisfies [string, (routes: Hono) => unknown][]) {
  test(`a service that takes paths by ${name} takes none that belongs to the runtime`, async () => {
    const { app, ask } = rig();
    app.mount("api", (routes) => void register(routes));
    for (const path of ["/health/zzz", "/readyz/x", "/api/v1", "/api/v1/zz", "/%68ealth/zz"]) {
      assert.equal((await ask(path))[0], 404, path);
    }
    for (const path of ["/other/path", "/healthcare/x", "/api/v10"]) {
      assert.deepEqual(await ask(path), [200, "mine"], path);
    }
  });
}

for (const [name, held, wanted] of [
  ["the same", ["GET", "/x"], ["GET", "/x"]],
  ["every method of it", ["GET", "/x"], ["ALL", "/x"]],
  ["the same with another parameter name", ["GET", "/users/:id"], ["GET", "/users/:name"]],
] as const) {
  test(`mount refuses a path of another service: ${name}`, () => {
    const { app } = rig();
    app.mount("api", (routes) => routes.on(held[0], held[1], (c) => c.text("api")));
    const mount = () => app.mount("web", (routes) => routes.on(wanted[0], wanted[1], (c) => c.text("web")));
    assert.throws(mount, (error) => {
      return error instanceof UsageError && /"web": service "api"/.test(error.message);
    });
  });
}

test("two services share a path by method", async () => {
  const { app, ask } = rig();
  app.mount("api", (routes) => routes.get("/x", (c) => c.text("api")));
  app.mount("web", (routes) => routes.post("/x", (c) => c.text("web")));
  assert.deepEqual(await ask("/x"), [200, "api"]);
  assert.deepEqual(await ask("/x", { method: "POST" }), [200, "web"]);
});

test("a service's middleware sees its own requests only", async () => {
  const { app, ask } = rig();
  const seen: string[] = [];
  app.mount("api", (routes) => {
    routes.use((c, next) => {
      seen.push(c.req.path);
      return next();
    });
    routes.get("/api", (c) => c.text("api"));
  });
  app.mount("web", (routes) => routes.get("/web", (c) => c.text("web")));
  assert.deepEqual(await ask("/web"), [200, "web"]);
  assert.deepEqual(await ask("/api"), [200, "api"]);
  assert.deepEqual(seen, ["/api"]);
});

test("middleware that answers by itself is reached where nobody has a handler", async () => {
  const { app, ask, health } = rig();
  app.mount("api", (routes) => routes.use("/static/*", async (c, _next) => c.text("file")));
  app.mount("web", (routes) => routes.get("/static/special", (c) => c.text("special")));
  assert.deepEqual(await ask("/static/a.css"), [200, "file"]);
  assert.deepEqual(await ask("/static/special"), [200, "special"]);
  health.show(up({ components: {} }));
  assert.equal((await ask("/static/a.css"))[0], 404);
});

test("a service's own error handler and HTTPException are kept", async () => {
  const { app, ask } = rig();
  app.mount("api", (routes) => {
    routes.onError((error, c) => c.text(`own: ${error.message}`, 418));
    routes.get("/api", () => {
      throw new Error("boom");
    });
  });
  app.mount("web", (routes) =>
    routes.get("/web", () => {
      throw new HTTPException(402, { message: "pay" });
    }),
  );
  assert.deepEqual(await ask("/api"), [418, "own: boom"]);
  assert.deepEqual(await ask("/web"), [402, "pay"]);
});

test("a handler that returns no Response is a failure: 500, and in the log with its service", async () => {
  const { app, ask, errors } = rig();
  // What JavaScript lets a service do.
  const no = (value: unknown) => () => value as Response;
  app.mount("api", (routes) => {
    routes.get("/nothing", no(undefined)).get("/later", no(Promise.resolve()));
    routes.get("/text", no("hi")).get("/object", no({ ok: true }));
    routes.get("/missing", (c) => c.notFound());
  });
  for (const path of ["/nothing", "/later", "/text", "/object"]) {
    assert.equal((await ask(path))[0], 500, path);
    assert.match(errors.splice(0).join(), new RegExp(`^api: cannot answer GET ${path}: .*Response`));
  }
  assert.equal((await ask("/text", { method: "HEAD" }))[0], 500);
  errors.splice(0);
  assert.equal((await ask("/missing"))[0], 404, "it has said so itself");
  assert.deepEqual(errors, []);
});

test("a handler gets the edge worker's bindings and context", async () => {
  const { app } = rig();
  const context = { waitUntil() {}, passThroughOnException() {}, props: {} };
  app.mount("api", (routes) =>
    routes.get("/", (c) => c.json([(c.env as { KEY: string }).KEY, c.executionCtx === context])),
  );
  const answer = await app.fetch(new Request("http://edge/"), { KEY: "value" }, context);
  assert.deepEqual(await answer.json(), ["value", true]);
});
