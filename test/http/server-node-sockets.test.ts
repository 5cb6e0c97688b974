// The server's side of RFC 6455 under Node, byte by byte: what a client may send, and what it gets for what it may not.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { after, before, test } from "node:test";
import { type Rig, startServer } from "./server-rig.ts";

let rig: Rig;
before(async () => {
  rig = await startServer("node");
  await rig.command("show up");
});
after(() => rig[Symbol.asyncDispose]());

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";

class Client implements AsyncDisposable {
  readonly #socket: Socket;
  #received = Buffer.alloc(0);
  #more = Promise.withResolvers<void>();

  constructor(headers: Readonly<Record<string, string>> = {}) {
    const all = { Upgrade: "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": KEY, ...headers };
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
    this.#socket = connect({ port: rig.port, host: "127.0.0.1", noDelay: true });
    this.#socket.write(`GET /socket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n${lines.join("")}\r\n`);
    const changed = () => {
      this.#more.resolve();
      this.#more = Promise.withResolvers();
    };
    this.#socket.on("data", (chunk) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      changed();
    });
    this.#socket.on("close", changed);
  }

  async #take(count: number): Promise<Buffer> {
    while (this.#received.length < count) {
      if (this.#socket.closed) throw new Error(`closed after ${this.#received.toString()}`);
      await this.#more.promise;
    }
    const taken = this.#received.subarray(0, count);
    this.#received = this.#received.subarray(count);
    return taken;
  }

  async head(): Promise<string> {
    let text = "";
    while (!text.endsWith("\r\n\r\n")) text += await this.#take(1);
    return text;
  }

  /** The next short frame: its first byte and its payload. */
  async frame(): Promise<[first: number, payload: string]> {
    const [first = 0, length = 0] = await this.#take(2);
    return [first, (await this.#take(length)).toString("latin1")];
  }

  /** A short frame; `mask: false` sends it bare. */
  frameOf(first: number, payload: string | Buffer, { mask = true } = {}): Buffer {
    const bytes = Buffer.from(payload);
    const keys = Buffer.from([1, 2, 3, 4]);
    const masked = bytes.map((byte, index) => byte ^ (mask ? (keys[index % 4] ?? 0) : 0));
    return Buffer.concat([
      Buffer.from([first, bytes.length | (mask ? 0x80 : 0)]),
      mask ? keys : Buffer.alloc(0),
      masked,
    ]);
  }

  async send(...pieces: Buffer[]): Promise<void> {
    for (const piece of pieces) await new Promise((resolve) => this.#socket.write(piece, resolve));
  }

  async closed(): Promise<void> {
    if (!this.#socket.closed) await once(this.#socket, "close");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy();
    await this.closed();
  }
}

async function connected(): Promise<Client> {
  const client = new Client();
  assert.match(await client.head(), /^HTTP\/1\.1 101 /);
  assert.deepEqual(await client.frame(), [0x81, "hello undefined "]);
  return client;
}

test("the handshake proves that it has read the key", async () => {
  await using client = new Client();
  const head = await client.head();
  const proof = createHash("sha1").update(`${KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  assert.ok(head.includes(`Sec-WebSocket-Accept: ${proof}\r\n`), head);
});

for (const [what, headers] of [
  ["another version", { "Sec-WebSocket-Version": "8" }],
  ["a key that is none", { "Sec-WebSocket-Key": "short" }],
] as const) {
  test(`a handshake with ${what} gets 400 with the version to use`, async () => {
    await using client = new Client(headers);
    assert.match(await client.head(), /^HTTP\/1\.1 400 [^]*Sec-WebSocket-Version: 13/);
    await client.closed();
  });
}

test("a message in pieces, with a ping between them, arrives whole; the ping is answered", async () => {
  await using client = await connected();
  await client.send(
    client.frameOf(0x01, "one "),
    client.frameOf(0x89, "there?"),
    client.frameOf(0x00, "two "),
    client.frameOf(0x80, "three"),
  );
  assert.deepEqual(await client.frame(), [0x8a, "there?"]);
  assert.deepEqual(await client.frame(), [0x81, "one two three"]);
});

test("a frame that comes byte by byte, and two in one piece, are read", async () => {
  await using client = await connected();
  await client.send(...[...client.frameOf(0x81, "slow")].map((byte) => Buffer.from([byte])));
  assert.deepEqual(await client.frame(), [0x81, "slow"]);
  await client.send(Buffer.concat([client.frameOf(0x81, "a"), client.frameOf(0x82, "b")]));
  assert.deepEqual(await client.frame(), [0x81, "a"]);
  assert.deepEqual(await client.frame(), [0x82, "b"]);
});

const code = (number: number): string => String.fromCharCode(number >> 8, number & 0xff);

test("a close is answered with its code, and the connection ends", async () => {
  await using client = await connected();
  await client.send(client.frameOf(0x88, Buffer.from(`${code(1000)}bye`, "latin1")));
  assert.deepEqual(await client.frame(), [0x88, code(1000)]);
  await client.closed();
});

const wrong: readonly [
  what: string,
  first: number,
  payload: string | Buffer,
  mask: boolean,
  answer: number,
][] = [
  ["a frame without mask", 0x81, "bare", false, 1002],
  ["a reserved bit", 0xc1, "zipped", true, 1002],
  ["an unknown kind of frame", 0x83, "", true, 1002],
  ["a ping in pieces", 0x09, "", true, 1002],
  ["a continuation of nothing", 0x80, "", true, 1002],
  ["a close with half a code", 0x88, "x", true, 1002],
  ["text that is no UTF-8", 0x81, Buffer.from([0xc3, 0x28]), true, 1007],
];
for (const [what, first, payload, mask, answer] of wrong) {
  test(`${what} ends the connection with ${answer}`, async () => {
    await using client = await connected();
    await client.send(client.frameOf(first, payload, { mask }));
    assert.deepEqual(await client.frame(), [0x88, code(answer)]);
    await client.closed();
  });
}

test("a new message inside another ends the connection with 1002", async () => {
  await using client = await connected();
  await client.send(client.frameOf(0x01, "one"), client.frameOf(0x81, "two"));
  assert.deepEqual(await client.frame(), [0x88, code(1002)]);
  await client.closed();
});

test("a message that says it is longer than 16 MiB ends the connection with 1009 before it is read", async () => {
  await using client = await connected();
  await client.send(Buffer.from([0x82, 0xff, 0, 0, 0, 0, 1, 0, 0, 1, 1, 2, 3, 4]));
  assert.deepEqual(await client.frame(), [0x88, code(1009)]);
  await client.closed();
});
