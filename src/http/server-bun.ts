// The HTTP server under Bun. Hands the server itself to `fetch`, which gives the peer's address, counts requests and upgrades
// them; never looks at a request, and only hands on what a WebSocket says.
import { createWSMessageEvent, WSContext, type WSEvents } from "hono/ws";
import { withHead } from "./head.ts";
import { closeGently, type Listen, type ListenOnPath } from "./server.ts";
import type { SocketData } from "./web-sockets.ts";

/** The largest that Bun takes. */
const IDLE_TIMEOUT_SECONDS_MAX = 255;

export const listen: Listen = async ({ host, port, idleTimeoutMs, fetch }) => {
  const server = Bun.serve<SocketData>({
    hostname: host,
    port,
    idleTimeout: Math.min(Math.ceil(idleTimeoutMs / 1000), IDLE_TIMEOUT_SECONDS_MAX),
    // Otherwise an error answers with a page that shows the source.
    development: false,
    // Which by itself lets a second process open the same port in silence.
    reusePort: false,
    fetch: withHead(fetch, lengthless),
    websocket,
  });
  return { host, port: server.port ?? port, close: () => server.stop(true) };
};

export const listenOnPath: ListenOnPath = async ({ path, fetch }) => {
  const server = Bun.serve({
    unix: path,
    development: false,
    // Not in its type, but it counts, and is 10 s without.
    idleTimeout: IDLE_TIMEOUT_SECONDS_MAX,
    fetch: withHead(fetch, lengthless),
  } as Bun.Serve.Options<undefined>);
  return { close: () => closeGently(server.stop(), () => server.stop(true)) };
};

/** Bun leaves the length out only where the content would come in chunks. */
function lengthless(answer: Response): Response {
  const headers = new Headers(answer.headers);
  headers.set("transfer-encoding", "chunked");
  return new Response(null, { status: answer.status, statusText: answer.statusText, headers });
}

type Socket = Bun.ServerWebSocket<SocketData>;

const websocket: Bun.WebSocketHandler<SocketData> = {
  open: (socket) => told(socket, ({ onOpen }) => onOpen?.(new Event("open"), contextOf(socket))),
  message(socket, message) {
    const data = typeof message === "string" ? message : message.buffer;
    told(socket, ({ onMessage }) => onMessage?.(createWSMessageEvent(data), contextOf(socket)));
  },
  close(socket, code, reason) {
    told(socket, ({ onClose }) => onClose?.(new CloseEvent("close", { code, reason }), contextOf(socket)));
  },
};

/** What the service's handler throws goes to its own `onError`; without one, to whoever handles what nobody caught. */
function told(socket: Socket, tell: (events: WSEvents) => unknown): void {
  const { events } = socket.data;
  const failed = (error: unknown) => {
    if (!events.onError) throw error;
    events.onError(Object.assign(new Event("error"), { error }), contextOf(socket));
  };
  try {
    const telling = tell(events);
    if (telling instanceof Promise) telling.catch(failed);
  } catch (error) {
    failed(error);
  }
}

function contextOf(socket: Socket): WSContext {
  return new WSContext({
    raw: socket,
    url: socket.data.url,
    protocol: socket.data.protocol,
    readyState: socket.readyState,
    send: (data, { compress }) => void socket.send(data, compress),
    close: (code, reason) => socket.close(code, reason),
  });
}
