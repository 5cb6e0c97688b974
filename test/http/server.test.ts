// One suite for the three server adapters, each under its own runtime with the whole app behind it.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Rig, type RuntimeName, startServer } from "./server-rig.ts";

const CLOSE = "Connection: close\r\n\r\n";
const RUNTIMES: readonly RuntimeName[] = ["bun", "deno", "node"];

/** The status of a raw answer. */
function statusOf(answer: string): number {
  return Number(/^HTTP\/1\.[01] (\d+)/.exec(answer)?.[1]);
}

for (const runtime of RUNTIMES) {
  describe(`server-${runtime}: requests`, () => {
    let rig: Rig;
    before(async () => {
      rig = await startServer(runtime);
      await rig.command("show up");
    });
    after(() => rig[Symbol.asyncDispose]());

    const targets = [
      ["HTTP/1.0 without Host", "GET /health/ready HTTP/1.0\r\n\r\n"],
      ["HTTP/1.0 without Host, doubled slash", "GET //health HTTP/1.0\r\n\r\n"],
      ["HTTP/1.0 without Host, a url in the query", "GET /readyz?u=http://x/y HTTP/1.0\r\n\r\n"],
      ["an absolute-form target", `GET http://other:9/livez?x=1 HTTP/1.1\r\nHost: a\r\n${CLOSE}`],
      ["a doubled slash", `GET //health HTTP/1.1\r\nHost: a\r\n${CLOSE}`],
      ["a trailing slash", `GET /health/startup/ HTTP/1.1\r\nHost: a\r\n${CLOSE}`],
    ] as const;
    for (const [name, request] of targets) {
      test(`health answers ${name}`, async () => {
        const answer = await rig.raw(request);
        assert.equal(statusOf(answer), 200, answer);
        assert.match(answer, /cache-control: no-store/i);
        assert.match(answer, /"status":"(healthy|ready|alive|started)"/);
      });
    }

    test("a service answers HTTP/1.0 without Host and sees an absolute url", async () => {
      assert.match(await rig.raw("GET /hello HTTP/1.0\r\n\r\n"), /hello \/hello$/);
    });

    test("a service receives the body of HTTP/1.0 without Host", async () => {
      const answer = await rig.raw("POST /echo HTTP/1.0\r\nContent-Length: 4\r\n\r\nbody");
      assert.match(answer, /\r\n\r\nbody$/);
    });

    test("HEAD has the status and no body", async () => {
      const answer = await rig.raw(`HEAD /health HTTP/1.1\r\nHost: a\r\n${CLOSE}`);
      assert.equal(statusOf(answer), 200);
      assert.match(answer, /\r\n\r\n$/);
      assert.doesNotMatch(answer, /healthy/);
    });

    for (const path of ["/health", "/readyz"]) {
      test(`HEAD ${path} says how long the answer to GET is`, async () => {
        const [head, get] = [
          await rig.raw(`HEAD ${path} HTTP/1.1\r\nHost: a\r\n${CLOSE}`),
          await rig.raw(`GET ${path} HTTP/1.1\r\nHost: a\r\n${CLOSE}`),
        ];
        const [, body = ""] = get.split("\r\n\r\n");
        assert.equal(/content-length: (\d+)/i.exec(get)?.[1], String(Buffer.byteLength(body)));
        assert.equal(/content-length: (\d+)/i.exec(head)?.[1], String(Buffer.byteLength(body)));
      });
    }

    for (const path of ["/hello", "/nothing", "/stream"]) {
      test(`HEAD ${path} does not say that the answer to GET is empty`, async () => {
        const answer = await rig.raw(`HEAD ${path} HTTP/1.1\r\nHost: a\r\n${CLOSE}`);
        assert.doesNotMatch(answer, /content-length: 0/i);
        assert.match(answer, /\r\n\r\n$/);
      });
    }

    test("HEAD leaves a length that the service gives, and a status without content, as they are", async () => {
      const given = await rig.raw(`HEAD /sized HTTP/1.1\r\nHost: a\r\n${CLOSE}`);
      assert.match(given, /content-length: 12\r\n/i);
      const empty = await rig.raw(`HEAD /empty HTTP/1.1\r\nHost: a\r\n${CLOSE}`);
      assert.equal(statusOf(empty), 204);
      assert.doesNotMatch(empty, /transfer-encoding|content-length/i);
    });

    test("a request that arrives byte by byte is answered", async () => {
      const whole = "GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
      assert.equal(statusOf(await rig.trickle(whole)), 200);
    });

    test("another method on a health path gets 405 with Allow", async () => {
      const answer = await fetch(`${rig.url}/health/ready`, { method: "POST", body: "x" });
      assert.deepEqual([answer.status, answer.headers.get("allow")], [405, "GET, HEAD"]);
    });

    test("a path nobody has gets a 404 problem", async () => {
      const answer = await fetch(`${rig.url}/nothing`);
      assert.equal(answer.status, 404);
      assert.equal(answer.headers.get("content-type"), "application/problem+json");
      assert.equal(((await answer.json()) as { status: number }).status, 404);
    });

    for (const [path, message] of [
      ["/throw", "kaput"],
      ["/throw-text", "not even an error"],
    ] as const) {
      test(`a handler that throws (${path}) gets a 500 problem, is logged, and breaks nothing`, async () => {
        const answer = await fetch(rig.url + path);
        assert.equal(answer.status, 500);
        assert.doesNotMatch(await answer.text(), new RegExp(message));
        assert.deepEqual(await rig.command("errors"), [`cannot answer GET ${path}: ${message}`]);
        assert.equal((await fetch(`${rig.url}/health`)).status, 200);
      });
    }

    test("reasons are shown on loopback, not through a proxy", async () => {
      await rig.command("show degraded");
      const here = await (await fetch(`${rig.url}/health`)).text();
      const there = await (
        await fetch(`${rig.url}/health`, { headers: { "x-forwarded-for": "8.8.8.8" } })
      ).text();
      await rig.command("show up");
      assert.match(here, /10\.0\.0\.7/);
      assert.doesNotMatch(there, /10\.0\.0\.7/);
      assert.match(there, /"mail":\{"status":"degraded","state":"failed"/);
    });

    test("a streamed answer is in flight until its end", async () => {
      const answer = await fetch(`${rig.url}/stream`);
      const reader = answer.body!.getReader();
      await reader.read();
      assert.equal(await rig.command("inFlight 1"), 1);
      await rig.command("release");
      while (!(await reader.read()).done);
      assert.equal(await rig.command("inFlight 0"), 0);
    });

    test("a streamed answer is in flight until its client goes", async () => {
      const client = new AbortController();
      const answer = await fetch(`${rig.url}/stream`, { signal: client.signal });
      await answer.body!.getReader().read();
      assert.equal(await rig.command("inFlight 1"), 1);
      client.abort();
      // Some servers notice at the next write only.
      await rig.command("release");
      assert.equal(await rig.command("inFlight 0"), 0);
    });

    test("a port that is taken rejects with EADDRINUSE", async () => {
      assert.equal(await rig.command("openAgain"), "EADDRINUSE");
    });
  });

  describe(`server-${runtime}: from start to stop`, () => {
    test("the port answers before, during and after the service", async () => {
      await using rig = await startServer(runtime);
      const ask = async (path: string) => {
        const answer = await fetch(rig.url + path);
        await answer.body?.cancel();
        return [answer.status, answer.headers.get("connection") === "close"];
      };
      assert.deepEqual(await ask("/hello"), [503, false]);
      assert.deepEqual(await ask("/nothing"), [503, false]);
      assert.deepEqual(await ask("/health/ready"), [503, false]);
      assert.deepEqual(await ask("/health/live"), [200, false]);
      assert.deepEqual(await ask("/health/startup"), [503, false]);

      await rig.command("show up");
      assert.deepEqual(await ask("/hello"), [200, false]);

      await rig.command("drain");
      assert.deepEqual(await ask("/hello"), [200, true]);
      assert.deepEqual(await ask("/health/live"), [200, true]);

      await rig.command("refuse");
      assert.deepEqual(await ask("/hello"), [503, true]);
      assert.deepEqual(await ask("/nothing"), [503, true]);

      await rig.command("show stopping");
      assert.deepEqual(await ask("/health"), [200, true]);
      assert.deepEqual(await ask("/health/ready"), [503, true]);

      await rig.command("close");
      await assert.rejects(fetch(`${rig.url}/health`));
    });

    test("a request that is inside when the door closes is finished", async () => {
      await using rig = await startServer(runtime);
      await rig.command("show up");
      const answer = await fetch(`${rig.url}/stream`);
      const reader = answer.body!.getReader();
      await reader.read();
      await rig.command("refuse");
      await rig.command("release");
      assert.equal(new TextDecoder().decode((await reader.read()).value), "b");
      assert.equal(await rig.command("inFlight 0"), 0);
    });

    test("close cuts what is left and can be repeated", async () => {
      await using rig = await startServer(runtime);
      await rig.command("show up");
      const answer = await fetch(`${rig.url}/stream`);
      const reader = answer.body!.getReader();
      await reader.read();
      await rig.command("close");
      await assert.rejects(async () => {
        while (!(await reader.read()).done);
      });
      await rig.command("close");
    });

    test("an IPv6 host is served", async () => {
      await using rig = await startServer(runtime, { host: "::1" });
      await rig.command("show degraded");
      assert.match(await (await fetch(`${rig.url}/health`)).text(), /10\.0\.0\.7/);
    });
  });
}
