// Answers that do not end by themselves, on each of the three servers: event streams and WebSockets, and how they are ended.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { after, before, describe, test } from "node:test";
import { type Rig, type RuntimeName, startServer } from "./server-rig.ts";

const RUNTIMES: readonly RuntimeName[] = ["bun", "deno", "node"];

/** Everything the reader gives until its end. */
async function rest(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  for (let step = await reader.read(); !step.done; step = await reader.read())
    text += decoder.decode(step.value, { stream: true });
  return text;
}

async function openEvents(rig: Rig) {
  const answer = await fetch(`${rig.url}/events`);
  const reader = answer.body!.getReader();
  assert.equal(new TextDecoder().decode((await reader.read()).value), "data: first\n\n");
  return reader;
}

/** Resolves once it is open and has said hello. */
async function openSocket(rig: Rig, protocols: string[] = []) {
  const socket = new WebSocket(`${rig.url.replace("http", "ws")}/socket?name=me`, protocols);
  socket.binaryType = "arraybuffer";
  const closed = once(socket, "close") as Promise<[CloseEvent]>;
  const refused = once(socket, "error").then(() => Promise.reject(new Error("no WebSocket")));
  const [{ data }] = (await Promise.race([once(socket, "message"), refused])) as [MessageEvent];
  return { socket, closed, hello: data as unknown };
}

async function echo(socket: WebSocket, data: string | Uint8Array<ArrayBuffer>): Promise<unknown> {
  socket.send(data);
  return ((await once(socket, "message")) as [MessageEvent])[0].data;
}

for (const runtime of RUNTIMES) {
  describe(`server-${runtime}: event streams`, () => {
    let rig: Rig;
    before(async () => {
      rig = await startServer(runtime);
      await rig.command("show up");
    });
    after(() => rig[Symbol.asyncDispose]());

    test("an event stream is handed on as it comes, to its own end, and not waited for", async () => {
      const reader = await openEvents(rig);
      assert.equal(await rig.command("inFlight 0"), 0);
      await rig.command(`write ${encodeURIComponent("data: second\n\n")}`);
      assert.equal(new TextDecoder().decode((await reader.read()).value), "data: second\n\n");
      await reader.cancel();
      assert.equal(await rig.command("inFlight 0"), 0);
    });

    test("HEAD of an event stream ends and leaves nothing behind", async () => {
      const answer = await fetch(`${rig.url}/events`, { method: "HEAD" });
      assert.equal(answer.headers.get("content-type"), "text/event-stream; charset=utf-8");
      const waiting = await fetch(`${rig.url}/stream`);
      assert.equal(await rig.command("inFlight 1"), 1);
      await rig.command("release");
      await waiting.text();
      assert.equal(await rig.command("inFlight 0"), 0);
    });
  });

  describe(`server-${runtime}: event streams without a reader`, () => {
    test("an event stream whose client went before it came leaves nothing behind", async () => {
      await using rig = await startServer(runtime);
      await rig.command("show up");
      const gone = connect(rig.port, "127.0.0.1");
      gone.write("GET /events/late HTTP/1.1\r\nHost: a\r\n\r\n");
      await rig.command("inFlight 1");
      gone.destroy();
      await once(gone, "close");
      await rig.command("release");
      assert.equal(await rig.command("inFlight 0"), 0);
      const waiting = await fetch(`${rig.url}/stream`);
      assert.equal(await rig.command("inFlight 1"), 1);
      await rig.command("release");
      await waiting.text();
      assert.equal(await rig.command("inFlight 0"), 0);
    });
  });

  describe(`server-${runtime}: event streams at the end`, () => {
    const cases = [
      ["between two events", "data: second\n\n", "retry: 1000\n\n"],
      ["after CRLF", "data: second\r\n\r\n", "retry: 1000\n\n"],
      ["inside an event", "data: sec", "\nretry: 1000\n"],
      ["after a line of an event", "data: sec\r\n", "retry: 1000\n"],
    ] as const;
    for (const [where, written, farewell] of cases) {
      test(`a drain ends an event stream ${where} with retry, and completes no event`, async () => {
        await using rig = await startServer(runtime);
        await rig.command("show up");
        const reader = await openEvents(rig);
        await rig.command(`write ${encodeURIComponent(written)}`);
        assert.equal(new TextDecoder().decode((await reader.read()).value), written);
        await rig.command("drain");
        assert.equal(await rest(reader), farewell);
        await rig.command("whenEmpty");
        assert.deepEqual(await rig.command("told 1"), ["cancelled"]);
      });
    }

    test("an event stream that is asked for in a drain ends at once", async () => {
      await using rig = await startServer(runtime);
      await rig.command("show up");
      assert.equal(await rig.command("isDraining"), false);
      await rig.command("drain");
      assert.equal(await rig.command("isDraining"), true);
      const answer = await fetch(`${rig.url}/events`);
      assert.deepEqual([answer.status, await answer.text()], [200, "retry: 1000\n\n"]);
    });

    // Deno calls an answer sent once it has taken it, so it is not asked here.
    if (runtime !== "deno") {
      test("an answer has left when its client has taken it, not when it is made", async () => {
        await using rig = await startServer(runtime);
        await rig.command("show up");
        const slow = connect(rig.port, "127.0.0.1").pause();
        slow.write("GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        await rig.command("inFlight 1");
        await rig.command("drain");
        await rig.command("refuse");
        assert.match(String(await rig.command("inside")), /^(GET \/large \(\d\.\ds\)|1 unread answer)$/);
        let taken = 0;
        slow.on("data", ({ length }) => void (taken += length)).resume();
        await rig.command("whenEmpty");
        await rig.command("close");
        if (!slow.closed) await once(slow, "close");
        assert.ok(taken > 20_000_000);
      });
    }

    test("a client that does not read its event stream is not waited for, others are", async () => {
      await using rig = await startServer(runtime);
      await rig.command("show up");
      const stalled = connect(rig.port, "127.0.0.1").pause();
      stalled.write("GET /flood HTTP/1.1\r\nHost: a\r\n\r\n");
      const answer = await fetch(`${rig.url}/stream`);
      await rig.command("stalled");
      assert.equal(await rig.command("inFlight 1"), 1);
      await rig.command("drain");
      await rig.command("refuse");
      assert.match(String(await rig.command("inside")), /^(GET \/stream \(\d\.\ds\)|1 unread answer)$/);
      await rig.command("release");
      assert.equal(await answer.text(), "ab");
      await rig.command("whenEmpty");
      stalled.destroy();
    });
  });

  describe(`server-${runtime}: WebSockets`, () => {
    let rig: Rig;
    before(async () => {
      rig = await startServer(runtime);
      await rig.command("show up");
    });
    after(() => rig[Symbol.asyncDispose]());

    test("a WebSocket says hello, echoes text and bytes of every length, and closes with the client's code", async () => {
      const { socket, closed, hello } = await openSocket(rig);
      assert.equal(hello, "hello me ");
      for (const length of [0, 1, 125, 126, 65_535, 65_536, 1_000_000]) {
        assert.equal(await echo(socket, "é".repeat(length)), "é".repeat(length));
        const bytes = Uint8Array.from({ length }, (_, index) => index % 251);
        assert.deepEqual(new Uint8Array((await echo(socket, bytes)) as ArrayBuffer), bytes);
      }
      assert.equal(await rig.command("inFlight 0"), 0);
      socket.close(4_001, "enough");
      assert.equal((await closed)[0].code, 4_001);
      assert.deepEqual(await rig.command("told 1"), ["closed 4001 enough"]);
    });

    test("a WebSocket speaks the first protocol that the client offers", async () => {
      const { socket, hello } = await openSocket(rig, ["one", "two"]);
      assert.deepEqual([socket.protocol, hello], ["one", "hello me one"]);
      socket.close();
    });

    test("a request that asks for no WebSocket goes to the next handler", async () => {
      assert.equal(await (await fetch(`${rig.url}/socket`)).text(), "no socket");
    });

    test("another offer to upgrade is declined by an answer", async () => {
      const answer = await rig.raw(
        "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n",
      );
      assert.match(answer, /^HTTP\/1\.1 200 .*hello \/hello/s);
    });
  });

  describe(`server-${runtime}: WebSockets at the end`, () => {
    test("a WebSocket lives through the drain, then gets 1001; a new one gets 503", async () => {
      await using rig = await startServer(runtime);
      await rig.command("show up");
      const before = await openSocket(rig);
      await rig.command("drain");
      const during = await openSocket(rig);
      assert.equal(await echo(before.socket, "still here"), "still here");
      await rig.command("refuse");
      for (const { closed } of [before, during]) {
        const [{ code, reason }] = await closed;
        assert.deepEqual([code, reason], [1001, "going away"]);
      }
      await rig.command("whenEmpty");
      await assert.rejects(openSocket(rig));
      await rig.command("close");
    });

    test("a WebSocket that was being made when the door closed gets 1001", async () => {
      await using rig = await startServer(runtime);
      await rig.command("show up");
      const socket = new WebSocket(`${rig.url.replace("http", "ws")}/socket/late`);
      const closed = once(socket, "close") as Promise<[CloseEvent]>;
      await rig.command("inFlight 1");
      await rig.command("refuse");
      await rig.command("release");
      assert.equal((await closed)[0].code, 1001);
    });

    test("close cuts a WebSocket whose client does not answer", async () => {
      await using rig = await startServer(runtime);
      await rig.command("show up");
      const silent = connect(rig.port, "127.0.0.1");
      const upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13";
      silent.write(
        `GET /socket HTTP/1.1\r\nHost: a\r\n${upgrade}\r\nSec-WebSocket-Key: ${"A".repeat(22)}==\r\n\r\n`,
      );
      await once(silent, "data");
      await rig.command("close");
      silent.resume();
      if (!silent.closed) await once(silent, "close");
    });

    test("a WebSocket gets 1001 also when the port closes right after", async () => {
      await using rig = await startServer(runtime);
      await rig.command("show up");
      const { closed } = await openSocket(rig);
      await Promise.all([rig.command("refuse"), rig.command("close")]);
      assert.equal((await closed)[0].code, 1001);
    });
  });
}
