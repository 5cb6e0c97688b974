// `svc://` URLs against real servers: one is asked, and another where that one is gone and asking twice does no harm.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { suite, test } from "node:test";
import { testClock } from "../../src/compose/testing.ts";
import { RuntimeRegistry } from "../../src/discovery/registry.ts";
import { serviceFetch } from "../../src/discovery/service-fetch.ts";
import { neverConnected, UnreachableError, UsageError } from "../../src/errors.ts";
import { entry } from "./rig.ts";

/** What an instance does with each request. */
const BEHAVIOURS = {
  answers: (request, response) => void response.end(`${request.method} ${request.url}`),
  cuts: (request) => void request.socket.destroy(),
  leaves: (_request, response) => void response.writeHead(503, { connection: "close" }).end("leaving"),
  fails: (_request, response) => void response.writeHead(503).end("overloaded"),
  breaks: (_request, response) => void response.writeHead(500, { connection: "close" }).end("broken"),
  hangs() {},
} satisfies Record<string, RequestListener>;

type Behaviour = keyof typeof BEHAVIOURS | "refuses";

/** One instance of `stock` for each, asked in this order. */
async function rig(behaviours: readonly Behaviour[]) {
  const registry = new RuntimeRegistry({ clock: testClock(), random: () => 0 });
  const asked: Behaviour[] = [];
  const firstAsked = Promise.withResolvers<void>();
  const servers = await Promise.all(
    behaviours.map(async (behaviour, index) => {
      const server = createServer((request, response) => {
        asked.push(behaviour);
        firstAsked.resolve();
        request.resume().on("end", () => BEHAVIOURS[behaviour as keyof typeof BEHAVIOURS](request, response));
      }).listen(0, "127.0.0.1");
      await once(server, "listening");
      const { port } = server.address() as AddressInfo;
      if (behaviour === "refuses") server.close();
      await registry.register(entry("stock", String(index), { address: "127.0.0.1", port }));
      return server;
    }),
  );
  const fetched: string[] = [];
  const call = serviceFetch({
    registry,
    fetch(url, init) {
      fetched.push(url);
      return fetch(url, init);
    },
  });
  return {
    asked,
    /** Also of those that were not reached. */
    fetched,
    firstAsked: firstAsked.promise,
    registry,
    call,
    /** What is answered, or why nothing is. */
    async outcome(init: RequestInit = {}, url = "svc://stock/reserve?sku=x") {
      try {
        return await (await call(url, { keepalive: false, ...init })).text();
      } catch (error) {
        return neverConnected(error) ? "refused" : "cut";
      }
    },
    async [Symbol.asyncDispose]() {
      for (const server of servers) {
        server.closeAllConnections();
        server.close();
      }
    },
  };
}

suite("a svc:// URL", () => {
  test("leads to an instance that is ready, with its path and query", async () => {
    await using stock = await rig(["answers"]);
    assert.equal(await stock.outcome(), "GET /reserve?sku=x");
    assert.equal(await stock.outcome({ method: "POST", body: "1" }, "svc://stock"), "POST /");
    assert.equal(await stock.outcome({}, "svc://stock?a=1#b"), "GET /?a=1");
  });

  test("that nobody answers is refused before anything is sent", async () => {
    await using stock = await rig([]);
    await assert.rejects(stock.call("svc://stock/x"), UnreachableError);
    assert.ok(neverConnected(new UnreachableError("x")));
    await assert.rejects(stock.call("svc:///x"), UsageError);
  });

  test("of another kind is fetched as it is, once", async () => {
    await using stock = await rig(["leaves"]);
    const { port } = await stock.registry.resolve("stock");
    const response = await stock.call(new URL(`http://127.0.0.1:${port}/`));
    assert.equal(response.status, 503);
    assert.equal(stock.asked.length, 1);
  });
});

const REPEATABLE: [string, RequestInit][] = [
  ["a GET", {}],
  ["a PUT", { method: "put", body: "1" }],
  ["a DELETE", { method: "DELETE" }],
  ["a POST with an Idempotency-Key", { method: "POST", body: "1", headers: { "Idempotency-Key": "a" } }],
];

for (const [what, init] of REPEATABLE) {
  test(`${what} goes to another instance when one refuses, cuts the connection or leaves`, async () => {
    for (const behaviour of ["refuses", "cuts", "leaves"] as const) {
      await using stock = await rig([behaviour, "answers"]);
      assert.match(await stock.outcome(init), /\/reserve\?sku=x$/, behaviour);
    }
  });

  test(`${what} is not asked again for what has failed by itself`, async () => {
    await using stock = await rig(["fails", "answers"]);
    assert.equal(await stock.outcome(init), "overloaded");
    await using other = await rig(["breaks", "answers"]);
    assert.equal(await other.outcome(init), "broken");
    assert.deepEqual([...stock.asked, ...other.asked], ["fails", "breaks"]);
  });
}

test("a POST goes to another instance only where it has certainly not arrived", async () => {
  const init = { method: "POST", body: "1" };
  await using refused = await rig(["refuses", "answers"]);
  assert.equal(await refused.outcome(init), "POST /reserve?sku=x");
  await using cut = await rig(["cuts", "answers"]);
  assert.equal(await cut.outcome(init), "cut");
  await using left = await rig(["leaves", "answers"]);
  assert.equal(await left.outcome(init), "leaving");
  assert.deepEqual([...cut.asked, ...left.asked], ["cuts", "leaves"]);
});

test("a body that is a stream is sent once", async () => {
  await using stock = await rig(["leaves", "answers"]);
  const body = new Blob(["1"]).stream();
  assert.equal(await stock.outcome({ method: "PUT", body, duplex: "half" } as RequestInit), "leaving");
});

test("three instances are asked at most, and each once; the last word is that of the last", async () => {
  await using many = await rig(["leaves", "leaves", "leaves", "leaves"]);
  assert.equal(await many.outcome(), "leaving");
  assert.equal(many.asked.length, 3);
  await using few = await rig(["leaves", "refuses"]);
  assert.equal(await few.outcome(), "refused");
  assert.deepEqual(few.asked, ["leaves"]);
});

test("a call that was given up goes nowhere else", async () => {
  await using stock = await rig(["hangs", "answers"]);
  const given = new AbortController();
  const called = assert.rejects(stock.call("svc://stock/x", { signal: given.signal }));
  await stock.firstAsked;
  given.abort();
  await called;
  assert.equal(stock.fetched.length, 1);
});
