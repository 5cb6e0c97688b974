// The middleware in front of a user's own Hono app, behind the user's own Bun server.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { Hono } from "hono";
import { websocket } from "hono/bun";
import { streamSSE } from "hono/streaming";
import { systemClock } from "../../src/drivers/clock.ts";
import { type HttpGate, createGate } from "../../src/http/gate.ts";
import { lifecycleMiddleware } from "../../src/http/lifecycle.ts";
import { upgradeWebSocket } from "../../src/http/web-sockets.ts";
import { scriptedHealth, stopping } from "../fixtures/http-snapshots.ts";

/** `/` streams "a" at once and "b" when `release` is called. With `bare`, the server is hidden from the app. */
function serve(options: { bare?: boolean } = {}) {
  const health = scriptedHealth();
  const gate = createGate({ clock: systemClock() });
  let release = () => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  const app = new Hono()
    .use(lifecycleMiddleware({ health, gate, service: "mine", version: "1" }))
    .get("/text", (c) => c.text("text", 200, { "x-mine": "kept" }))
    .get("/throw", () => {
      throw new Error("boom");
    })
    .get("/throw-text", () => {
      throw "not an error, which Hono leaves to the server";
    })
    .get("/redirect", () => Response.redirect("http://localhost/text"))
    .get("/", (c) => {
      const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
        async start(controller) {
          controller.enqueue(new TextEncoder().encode("a"));
          await released;
          controller.enqueue(new TextEncoder().encode("b"));
          controller.close();
        },
      });
      return c.body(body);
    });
  app.onError((error, c) => c.text(`own: ${error.message}`, 500));
  const fetch = options.bare ? (request: Request) => app.fetch(request) : app.fetch;
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch, error: () => new Response("server") });
  return {
    health,
    gate,
    release,
    server,
    url: server.url.href,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

/** Resolves once that many are inside; the test's own time limit ends a wait in vain. */
async function inFlight(gate: HttpGate, count: number): Promise<void> {
  while (gate.inFlight() !== count) await new Promise((resolve) => setImmediate(resolve));
}

test("lifecycle serves health before the app's routes", async () => {
  await using rig = serve();
  assert.match(await (await fetch(`${rig.url}health`)).text(), /"service":"mine"/);
  assert.equal((await fetch(`${rig.url}health/ready`)).status, 200);
  rig.health.show(stopping());
  assert.equal((await fetch(`${rig.url}health/ready`)).status, 503);
});

test("lifecycle answers health over HTTP/1.0 without Host", async () => {
  await using rig = serve();
  const socket = connect({ port: rig.server.port!, host: "127.0.0.1" });
  let received = "";
  socket.setEncoding("utf8").on("data", (chunk) => void (received += chunk));
  socket.write("GET /readyz HTTP/1.0\r\n\r\n");
  await once(socket, "close");
  assert.match(received, /^HTTP\/1\.1 200/);
});

test("lifecycle leaves the app's answers, errors and 404 as they are", async () => {
  await using rig = serve();
  const text = await fetch(`${rig.url}text`);
  assert.deepEqual(
    [await text.text(), text.headers.get("x-mine"), text.headers.get("content-length")],
    ["text", "kept", "4"],
  );
  assert.equal(await (await fetch(`${rig.url}throw`)).text(), "own: boom");
  assert.equal((await fetch(`${rig.url}nothing`)).status, 404);
  await inFlight(rig.gate, 0);
});

test("lifecycle hands on the very response of the app", async () => {
  let made: Response | undefined;
  const lifecycle = lifecycleMiddleware({
    health: scriptedHealth(),
    gate: createGate({ clock: systemClock() }),
    service: "a",
    version: "1",
  });
  const app = new Hono().use(lifecycle).get("/", (c) => (made = c.text("text")));
  assert.equal(await app.fetch(new Request("http://a/"), { pendingRequests: 1 }), made);
});

for (const bare of [false, true]) {
  const server = bare ? "a server it does not see" : "Bun's server";
  test(`lifecycle counts a streamed answer to its end behind ${server}`, async () => {
    await using rig = serve({ bare });
    const reader = (await fetch(rig.url)).body!.getReader();
    assert.equal(new TextDecoder().decode((await reader.read()).value), "a");
    await inFlight(rig.gate, 1);
    rig.release();
    while (!(await reader.read()).done);
    await inFlight(rig.gate, 0);
  });

  test(`lifecycle counts an answer to HEAD, whose body nobody reads, out again behind ${server}`, async () => {
    await using rig = serve({ bare });
    assert.equal((await fetch(rig.url, { method: "HEAD" })).status, 200);
    await inFlight(rig.gate, 0);
  });

  test(`lifecycle counts neither health nor what has been answered behind ${server}`, async () => {
    await using rig = serve({ bare });
    for (const path of ["health", "text", "throw", "throw-text", "nothing", "redirect"]) {
      await (await fetch(rig.url + path, { redirect: "manual" })).text();
    }
    await inFlight(rig.gate, 0);
  });
}

test("lifecycle counts an answer to the moment its client goes", async () => {
  await using rig = serve({ bare: true });
  const client = new AbortController();
  const reader = (await fetch(rig.url, { signal: client.signal })).body!.getReader();
  await reader.read();
  await inFlight(rig.gate, 1);
  client.abort();
  rig.release();
  await inFlight(rig.gate, 0);
});

test("lifecycle closes connections while draining, also of answers whose headers are fixed", async () => {
  await using rig = serve();
  rig.gate.drain();
  for (const [path, status] of [
    ["text", 200],
    ["redirect", 302],
    ["health", 200],
  ] as const) {
    const answer = await fetch(rig.url + path, { redirect: "manual" });
    assert.deepEqual([answer.status, answer.headers.get("connection")], [status, "close"], path);
  }
});

test("lifecycle refuses with 503 once stopping, health excepted", async () => {
  await using rig = serve();
  rig.gate.refuse();
  const refused = await fetch(`${rig.url}text`);
  assert.deepEqual([refused.status, refused.headers.get("connection")], [503, "close"]);
  assert.equal((await fetch(`${rig.url}health`)).status, 200);
});

test("gate never opens again", async () => {
  await using rig = serve();
  rig.gate.refuse();
  rig.gate.drain();
  assert.equal((await fetch(`${rig.url}text`)).status, 503);
});

test("lifecycle ends event streams and WebSockets of the user's own routes and server", async () => {
  const gate = createGate({ clock: systemClock() });
  const lifecycle = lifecycleMiddleware({ health: scriptedHealth(), gate, service: "mine", version: "1" });
  const app = new Hono()
    .use(lifecycle)
    .get("/events", (c) =>
      streamSSE(c, async (stream) => {
        await stream.writeSSE({ data: "first" });
        await new Promise<void>((resolve) => stream.onAbort(resolve));
      }),
    )
    .get(
      "/socket",
      upgradeWebSocket(() => ({ onMessage: ({ data }, socket) => socket.send(`got ${data as string}`) })),
    );
  using server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: app.fetch, websocket });

  const events = (await fetch(`${server.url.href}events`)).body!.getReader();
  assert.equal(new TextDecoder().decode((await events.read()).value), "data: first\n\n");
  const socket = new WebSocket(`${server.url.href.replace("http", "ws")}socket`);
  await once(socket, "open");
  socket.send("it");
  assert.equal(((await once(socket, "message")) as [MessageEvent])[0].data, "got it");

  gate.drain();
  assert.equal(new TextDecoder().decode((await events.read()).value), "retry: 1000\n\n");
  assert.equal((await events.read()).done, true);
  const closed = once(socket, "close") as Promise<[CloseEvent]>;
  gate.refuse();
  assert.equal((await closed)[0].code, 1001);
  await gate.whenEmpty(new AbortController().signal);
});
