// WebSockets under Node, which has none of its own: the server's side of RFC 6455 over an upgraded connection, in the shape that
// @hono/node-server drives. No extensions; no frame is read before it is whole, and no message is longer than Bun's either.
import { createHash } from "node:crypto";
import { EventEmitter } from "node:events";
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { upgradeWebSocket, type WebSocketLike, type WebSocketServerLike } from "@hono/node-server";

/** RFC 6455, section 1.3. */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const MESSAGE_BYTES_MAX = 16 * 1024 * 1024;
/** How long a peer may take to answer a close. */
const CLOSE_MS = 2_000;
/** When a silent peer is asked whether it is still there. */
const ALIVE_MS = 60_000;

const Op = { more: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;
/** RFC 6455, section 7.4.1. */
const Code = { protocol: 1002, none: 1005, lost: 1006, notText: 1007, tooLong: 1009 } as const;

/** Accepts upgrades for `createAdaptorServer({ websocket: { server } })`. */
export class NodeSockets extends EventEmitter implements WebSocketServerLike {
  readonly options = { noServer: true };
  /** The helper that belongs to this server: `http/web-sockets.ts` finds it in what the server hands to `fetch`. */
  readonly upgradeWebSocket = upgradeWebSocket;
  readonly #open = new Set<NodeSocket>();

  handleUpgrade(
    request: IncomingMessage,
    connection: Duplex,
    ...[head, accept]: [head: Buffer, accept: (socket: WebSocketLike) => void]
  ): void {
    const { "sec-websocket-key": key = "", "sec-websocket-version": version } = request.headers;
    if (request.method !== "GET" || version !== "13" || Buffer.from(key, "base64").length !== 16) {
      connection.end(
        "HTTP/1.1 400 Bad Request\r\nSec-WebSocket-Version: 13\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
      );
      return;
    }
    const protocol = request.headers["sec-websocket-protocol"]?.split(",")[0]?.trim() ?? "";
    const headers = [
      "HTTP/1.1 101 Switching Protocols",
      "Upgrade: websocket",
      "Connection: Upgrade",
      `Sec-WebSocket-Accept: ${createHash("sha1")
        .update(key + GUID)
        .digest("base64")}`,
      ...(protocol === "" ? [] : [`Sec-WebSocket-Protocol: ${protocol}`]),
    ];
    this.emit("headers", headers);
    connection.write(`${headers.join("\r\n")}\r\n\r\n`);
    const socket = new NodeSocket(connection as Socket, protocol);
    this.#open.add(socket);
    socket.once("close", () => this.#open.delete(socket));
    accept(socket);
    socket.receive(head);
  }

  /** Cuts every connection once what was written has left. */
  close(): void {
    for (const socket of this.#open) socket.cut();
  }
}

class NodeSocket extends EventEmitter implements WebSocketLike {
  readonly protocol: string;
  readyState: 0 | 1 | 2 | 3 = 1;
  readonly #connection: Socket;
  #chunks: Buffer[] = [];
  #bytes = 0;
  /** So many are needed before it is worth looking. */
  #needed = 2;
  #message: { op: number; pieces: Buffer[]; bytes: number } | undefined;
  #end: { code: number; reason: Buffer } = { code: Code.lost, reason: Buffer.alloc(0) };

  constructor(connection: Socket, protocol: string) {
    super();
    this.protocol = protocol;
    this.#connection = connection;
    connection.setTimeout(0);
    connection.setNoDelay(true);
    connection.setKeepAlive(true, ALIVE_MS);
    connection.on("data", (chunk: Buffer) => this.receive(chunk));
    // A peer that goes without a word; "close" says the rest.
    connection.on("error", () => {});
    connection.on("end", () => connection.end());
    connection.once("close", () => {
      this.readyState = 3;
      this.emit("close", this.#end.code, this.#end.reason);
    });
  }

  send(data: string | ArrayBuffer | ArrayBufferView): void {
    if (this.readyState !== 1) return;
    if (typeof data === "string") this.#write(Op.text, Buffer.from(data));
    else if (data instanceof ArrayBuffer) this.#write(Op.binary, Buffer.from(data));
    else this.#write(Op.binary, Buffer.from(data.buffer, data.byteOffset, data.byteLength));
  }

  close(code?: number, reason = ""): void {
    if (this.readyState !== 1) return;
    this.readyState = 2;
    this.#writeClose(code, reason);
    setTimeout(() => this.cut(), CLOSE_MS).unref();
  }

  cut(): void {
    this.#connection.destroySoon();
  }

  receive(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    while (this.#bytes >= this.#needed && this.readyState !== 3) {
      const buffer = this.#chunks.length === 1 ? (this.#chunks[0] ?? chunk) : Buffer.concat(this.#chunks);
      const frame = frameIn(buffer);
      if (frame.type === "broken") return this.#fail(frame.code);
      this.#needed = frame.type === "partial" ? frame.needed : 2;
      const rest = frame.type === "partial" ? buffer : buffer.subarray(frame.size);
      this.#chunks = [rest];
      this.#bytes = rest.length;
      if (frame.type === "whole") this.#take(frame);
    }
  }

  #take({ op, last, payload }: WholeFrame): void {
    if (op === Op.ping) this.#write(Op.pong, payload);
    else if (op === Op.close) this.#closed(payload);
    else if (op !== Op.pong) this.#collect(op, last, payload);
  }

  #collect(...[op, last, payload]: [op: number, last: boolean, payload: Buffer]): void {
    // A message begins with its kind, and goes on without one.
    if ((op === Op.more) !== (this.#message !== undefined)) return this.#fail(Code.protocol);
    const message = (this.#message ??= { op, pieces: [], bytes: 0 });
    message.pieces.push(payload);
    message.bytes += payload.length;
    if (message.bytes > MESSAGE_BYTES_MAX) return this.#fail(Code.tooLong);
    if (!last) return;
    this.#message = undefined;
    const whole = Buffer.concat(message.pieces);
    const data = message.op === Op.text ? textOf(whole) : whole;
    if (data === undefined) return this.#fail(Code.notText);
    if (this.readyState === 1) this.emit("message", data, message.op === Op.binary);
  }

  #closed(payload: Buffer): void {
    if (payload.length === 1) return this.#fail(Code.protocol);
    const code = payload.length === 0 ? Code.none : payload.readUInt16BE(0);
    this.#end = { code, reason: payload.subarray(2) };
    if (this.readyState === 1) this.#write(Op.close, payload.subarray(0, 2));
    this.readyState = 2;
    this.#connection.end();
  }

  #fail(code: number): void {
    if (this.readyState === 1) this.#writeClose(code, "");
    this.readyState = 2;
    this.#end = { code, reason: Buffer.alloc(0) };
    // What else it sends makes no sense any more.
    this.#connection.removeAllListeners("data").resume();
    this.cut();
  }

  #writeClose(code: number | undefined, reason: string): void {
    const head = Buffer.alloc(code === undefined ? 0 : 2);
    if (code !== undefined) head.writeUInt16BE(code);
    this.#write(Op.close, Buffer.concat([head, Buffer.from(reason)]));
  }

  #write(op: number, payload: Buffer): void {
    this.#connection.cork();
    this.#connection.write(headOf(op, payload.length));
    this.#connection.write(payload);
    this.#connection.uncork();
  }
}

interface WholeFrame {
  type: "whole";
  op: number;
  last: boolean;
  payload: Buffer;
  /** All of it, in bytes. */
  size: number;
}

type Frame = WholeFrame | { type: "partial"; needed: number } | { type: "broken"; code: number };

/** The frame that the buffer begins with (RFC 6455, section 5.2). */
function frameIn(buffer: Buffer): Frame {
  const [first = 0, second = 0] = buffer;
  const op = first & 0x0f;
  const last = (first & 0x80) !== 0;
  const short = second & 0x7f;
  const isControl = op >= Op.close;
  const isKnown = op <= Op.binary || (isControl && op <= Op.pong);
  // Clients mask, reserved bits are for extensions, and a control frame is short and in one piece.
  const isMasked = (second & 0x80) !== 0;
  if (!isKnown || !isMasked || (first & 0x70) !== 0 || (isControl && (short > 125 || !last)))
    return { type: "broken", code: Code.protocol };
  const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
  const start = 2 + lengthBytes + 4;
  if (buffer.length < start) return { type: "partial", needed: start };
  const length =
    lengthBytes === 0
      ? short
      : lengthBytes === 2
        ? buffer.readUInt16BE(2)
        : Number(buffer.readBigUInt64BE(2));
  if (length > MESSAGE_BYTES_MAX) return { type: "broken", code: Code.tooLong };
  const size = start + length;
  if (buffer.length < size) return { type: "partial", needed: size };
  const payload = Buffer.from(buffer.subarray(start, size));
  for (let index = 0; index < length; index++)
    payload[index] = (payload[index] ?? 0) ^ (buffer[start - 4 + (index % 4)] ?? 0);
  return { type: "whole", op, last, payload, size };
}

function headOf(op: number, length: number): Buffer {
  const extra = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const head = Buffer.alloc(2 + extra);
  head[0] = 0x80 | op;
  head[1] = extra === 0 ? length : extra === 2 ? 126 : 127;
  if (extra === 2) head.writeUInt16BE(length, 2);
  if (extra === 8) head.writeBigUInt64BE(BigInt(length), 2);
  return head;
}

/** Nothing if it is no UTF-8. */
function textOf(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
