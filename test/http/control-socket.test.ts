// The control API over its real socket, under each runtime: answers, streams, and what comes along that is no request.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync, statSync } from "node:fs";
import { connect } from "node:net";
import { after, before, describe, test } from "node:test";
import { dirname } from "node:path";
import { JAVASCRIPT_RUNTIMES } from "../e2e/support/programs.ts";
import { type ControlRig, type RuntimeName, startControl } from "./control-rig.ts";

/** A stream of events that is read as far as it is needed. */
async function listen(rig: ControlRig, path: string, accept = "text/event-stream") {
  const connection = connect({ path: rig.socket });
  let received = "";
  connection.setEncoding("utf8").on("data", (text) => {
    received += String(text);
    connection.emit("more");
  });
  connection.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nAccept: ${accept}\r\n\r\n`);
  const until = async (pattern: RegExp) => {
    while (!pattern.test(received)) await once(connection, "more");
    return received;
  };
  await until(/\r\n\r\n/);
  return { connection, until };
}

for (const runtime of Object.keys(JAVASCRIPT_RUNTIMES) as RuntimeName[]) {
  describe(`the control socket under ${runtime}`, () => {
    let rig: ControlRig;
    before(async () => {
      rig = await startControl({ runtime });
      assert.equal(rig.opened.error, undefined);
    });
    after(() => rig[Symbol.asyncDispose]());

    test("is its user's alone, with its pid beside it", () => {
      const { mode, ino } = statSync(rig.socket);
      assert.equal(mode & 0o777, 0o600);
      assert.equal(statSync(`${rig.socket}.${ino}.pid`).mode & 0o777, 0o600);
      assert.equal(statSync(dirname(rig.socket)).mode & 0o777, 0o700);
    });

    test("answers what is asked and passes orders on", async () => {
      const answer = await rig.ask("GET", "/api/v1/runtime");
      assert.deepEqual([answer.status, JSON.parse(answer.text).pid], [200, rig.opened.pid]);
      const order = await rig.ask("POST", "/api/v1/services/api/restart", { body: '{"cascade":false}' });
      assert.deepEqual([order.status, JSON.parse(order.text)], [202, { services: ["api"] }]);
      assert.ok(((await rig.command("calls")) as string[]).includes("restart api"));
    });

    test("needs no token, and any Host and Origin will do", async () => {
      const headers = { host: "evil.example", origin: "http://evil.example" };
      assert.equal((await rig.ask("GET", "/api/v1/services", { headers })).status, 200);
    });

    test("answers health, reasons included", async () => {
      assert.equal((await rig.ask("GET", "/health/live")).status, 200);
      await rig.command("unready");
      const answer = await rig.ask("GET", "/health/ready");
      await rig.command("ready");
      assert.equal(answer.status, 503);
      assert.match(answer.text, /waits for 10\.0\.0\.7:5432/);
    });

    test("HTTP/1.0 without Host is answered", async () => {
      assert.match(
        await rig.raw("GET /api/v1/runtime HTTP/1.0\r\n\r\n"),
        /^HTTP\/1\.[01] 200 [^]*"name":"shop"/,
      );
    });

    test("events arrive as they happen, and nobody listens once the client has gone", async () => {
      const { connection, until } = await listen(rig, "/api/v1/runtime/events");
      await until(/retry: 1000/);
      await rig.command('set {"name":"db","state":"unready"}');
      const text = await until(/event: service-state-changed\ndata: .*\n\n/);
      assert.match(text, /id: 1\n/);
      assert.match(text, /"service":"db","incarnation":1,"from":"ready","to":"unready"|"to":"unready"/);
      connection.destroy();
      // Some servers notice at the next write only.
      for (let left = { events: 1 }; left.events > 0;) {
        await rig.command('set {"name":"db","state":"ready"}');
        left = (await rig.command("listeners")) as { events: number };
      }
    });

    test("a followed log has what there was and what comes, and can be taken up again", async () => {
      await rig.command("write db before");
      const sse = await listen(rig, "/api/v1/services/db/logs?follow");
      const lines = await listen(rig, "/api/v1/services/db/logs?follow&tail=0", "application/x-ndjson");
      await rig.command("write db after");
      const text = await sse.until(/after/);
      const [, id] = /id: (\d+)\nevent: line\ndata: [^\n]*before/.exec(text) ?? [];
      assert.ok(id);
      assert.doesNotMatch(await lines.until(/"message":"after"/), /before|event:/);
      const again = await listen(rig, `/api/v1/services/db/logs?follow&after=${id}`);
      assert.doesNotMatch(await again.until(/after/), /before/);
      for (const { connection } of [sse, lines, again]) connection.destroy();
    });

    test("a reader that does not read loses lines instead of the runtime its memory", async () => {
      const { connection, until } = await listen(rig, "/api/v1/services/api/logs?follow&tail=0");
      connection.pause();
      for (let round = 0; round < 3; round++) await rig.command("flood api");
      connection.resume();
      const text = await until(/event: lost\ndata: \{"lost":\d+\}/);
      const lost = Number(/"lost":(\d+)/.exec(text)?.[1]);
      assert.ok(lost > 10_000, `${lost} lost`);
      connection.destroy();
    });

    const garbage: [name: string, bytes: string | Uint8Array][] = [
      ["garbage", new Uint8Array(4096).map((_, index) => (index * 7919) % 251)],
      ["a TLS hello", Uint8Array.of(0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3)],
      [
        "a header without end",
        `GET /api/v1/runtime HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(200_000)}\r\n\r\n`,
      ],
      ["a target without end", `GET /${"x".repeat(200_000)} HTTP/1.1\r\nHost: a\r\n\r\n`],
      ["a negative length", "POST /api/v1/runtime/reload HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"],
      ["a method nobody has", "BREW /api/v1/runtime HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"],
    ];
    for (const [name, bytes] of garbage) {
      test(`${name} is refused and breaks nothing`, async () => {
        // Bun waits for the rest of what does not look like an end.
        const answer = await Promise.race([rig.raw(bytes), rig.ask("GET", "/api/v1/runtime").then(() => "")]);
        assert.doesNotMatch(answer, /^HTTP\/1\.[01] 200/);
        assert.equal((await rig.ask("GET", "/api/v1/runtime")).status, 200);
      });
    }

    test("a client that goes in the middle of a body breaks nothing", async () => {
      const connection = connect({ path: rig.socket });
      connection.end("POST /api/v1/services/db/stop HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{");
      connection.resume();
      await once(connection, "close");
      assert.equal((await rig.ask("GET", "/api/v1/runtime")).status, 200);
      assert.ok(!((await rig.command("calls")) as string[]).some((call) => call.startsWith("stop")));
    });

    test("at the end streams are told, and the socket is gone", async () => {
      const own = await startControl({ runtime });
      const { until, connection } = await listen(own, "/api/v1/runtime/events");
      const closed = once(connection, "close");
      await own.end();
      assert.match(
        await until(/event: end/),
        /retry: 1000\nevent: end\ndata: \{"reason":"the runtime has stopped"\}/,
      );
      await closed;
      assert.throws(() => statSync(own.socket), { code: "ENOENT" });
      assert.deepEqual(readdirSync(dirname(own.socket)), []);
      await own[Symbol.asyncDispose]();
    });
  });
}
