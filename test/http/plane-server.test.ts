// The plane behind a real server, under each runtime: who is local, what is not read, and what becomes of those who wait and follow
// when their client goes or the runtime drains.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { after, before, describe, test } from "node:test";
import { eventsOf } from "./plane-rig.ts";
import { type Rig, type RuntimeName, startServer } from "./server-rig.ts";

const RUNTIMES: readonly RuntimeName[] = ["bun", "deno", "node"];
const STREAM = { accept: "text/event-stream" };
const HEAD = "Host: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n";

function statusOf(answer: string): number {
  return Number(/^HTTP\/1\.[01] (\d+)/.exec(answer)?.[1]);
}

/** The beginning of the answer to what may only be the beginning of a request; not every server then closes. */
async function answerTo(port: number, text: string): Promise<string> {
  const socket = connect({ port, host: "127.0.0.1" });
  // Being cut off while it writes is part of an answer.
  socket
    .on("error", () => {})
    .setEncoding("utf8")
    .write(text);
  const [answer] = (await once(socket, "data")) as [string];
  socket.destroy();
  return answer;
}

for (const runtime of RUNTIMES) {
  describe(`the plane under ${runtime}`, () => {
    let rig: Rig;
    before(async () => {
      rig = await startServer(runtime);
      await rig.command("show up");
    });
    after(() => rig[Symbol.asyncDispose]());

    const send = (path: string, json?: unknown, headers: Record<string, string> = {}) =>
      fetch(`${rig.url}/api/v1${path}`, {
        ...(json !== undefined && { method: "POST", body: JSON.stringify(json) }),
        headers: { ...(json !== undefined && { "content-type": "application/json" }), ...headers },
      });

    const execution = async (): Promise<{ id: string }> => {
      const session = (await (await send("/sessions", { user: "ann" })).json()) as { id: string };
      const intent = { type: "order.place", session: session.id, payload: {} };
      return (await (await send("/intents", intent)).json()) as { id: string };
    };

    test("a program on this machine is served, what a proxy passes on is not", async () => {
      assert.equal((await send("/sessions", { user: "ann" })).status, 201);
      assert.equal((await send("/sessions", undefined, { "x-forwarded-for": "10.0.0.1" })).status, 401);
      assert.equal(statusOf(await rig.raw("GET /api/v1/wal HTTP/1.0\r\n\r\n")), 401, "without Host");
      assert.equal((await fetch(`${rig.url}/docs`)).status, 200);
    });

    test("a body over the limit is answered before it has come", async () => {
      const line = "PUT /api/v1/state/a/k HTTP/1.1\r\n";
      const announced = `${line}${HEAD}Content-Length: 100000000\r\n\r\n{`;
      assert.equal(statusOf(await answerTo(rig.port, announced)), 413);
      const chunk = `100000\r\n${" ".repeat(0x100000)}\r\n`;
      const chunked = `${line}${HEAD}Transfer-Encoding: chunked\r\n\r\n${chunk}${chunk}`;
      assert.equal(statusOf(await answerTo(rig.port, chunked)), 413);
    });

    test("odd paths are answered, and not with a fault", async () => {
      for (const path of [
        "/state/a/..",
        "/state/a/%2e%2e",
        "/state/a/%00",
        "/state/%/%ff",
        "//state/a",
        "/../../etc",
      ]) {
        const answer = await rig.raw(`GET /api/v1${path} HTTP/1.1\r\n${HEAD}\r\n`);
        assert.ok([400, 404, 422].includes(statusOf(answer)), `${path}: ${answer}`);
      }
      assert.deepEqual(await rig.command("errors"), []);
    });

    test("a client that goes leaves nothing behind", async () => {
      const { id } = await execution();
      const client = new AbortController();
      const follow = { headers: STREAM, signal: client.signal };
      const events = eventsOf(await fetch(`${rig.url}/api/v1/wal?type=state_expired`, follow));
      await events.block();
      const waits = fetch(`${rig.url}/api/v1/executions/${id}?wait=1m`, { signal: client.signal });
      await rig.command("waiting 2");
      client.abort();
      await waits.catch(() => {});
      assert.equal(await rig.command("waiting 0"), 0);
    });

    test("at the drain streams end with when to come back, and who waits is answered", async () => {
      const { id } = await execution();
      const events = eventsOf(await send("/wal?type=state_expired", undefined, STREAM));
      await events.block();
      const waiting = send(`/executions/${id}?wait=1m`);
      await rig.command("waiting 2");
      await rig.command("drain");
      assert.match((await events.block()) ?? "", /^retry: 1000/);
      assert.equal(await events.block(), undefined);
      const answer = await waiting;
      assert.deepEqual([answer.status, answer.headers.get("connection")], [200, "close"]);
      assert.equal(((await answer.json()) as { state: string }).state, "pending");
      assert.equal((await send("/wal")).status, 200, "the rest is served on");
      await rig.command("whenEmpty");
      await rig.command("refuse");
      assert.equal((await send("/wal")).status, 503);
    });
  });
}
