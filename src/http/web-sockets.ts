// WebSockets in one way on Bun, Deno and Node: `upgradeWebSocket` for a route, and the list of those that are open behind one
// gate, so that all can be told to go. It never reads or writes a message.
import type { Context } from "hono";
import { defineWebSocketHelper, type UpgradeWebSocket, WSContext, type WSEvents } from "hono/ws";
import { UsageError } from "../errors.ts";
import type { Inside } from "../ports/service.ts";

/** RFC 6455, section 7.4.1: "going away". */
const GOING_AWAY = 1001;

/** The WebSockets behind one gate. */
export interface WebSockets {
  /** Whoever upgrades this request is told when the gate closes. */
  expect(request: Request): void;
  /** Tells all that are open to go, and from now on each one as it opens. */
  close(): void;
}

interface Tracker {
  track(events: WSEvents): WSEvents;
}

/** By the request that is being upgraded. */
const trackers = new WeakMap<Request, Tracker>();

export function createWebSockets(): WebSockets {
  const open = new Set<WSContext>();
  let closing = false;
  const leave = (socket: WSContext) => socket.close(GOING_AWAY, "going away");
  const tracker: Tracker = {
    track(events) {
      let opened: WSContext | undefined;
      return {
        ...events,
        onOpen(event, socket) {
          opened = socket;
          open.add(socket);
          if (closing) leave(socket);
          else events.onOpen?.(event, socket);
        },
        onClose(event, socket) {
          if (opened !== undefined) open.delete(opened);
          events.onClose?.(event, socket);
        },
      };
    },
  };
  return {
    expect: (request) => void trackers.set(request, tracker),
    close() {
      closing = true;
      for (const socket of open) leave(socket);
    },
  };
}

/** The handlers of the WebSocket that this request may become are called by way of `inside`. */
export function callHandlers(request: Request, inside: Inside): void {
  const tracker = trackers.get(request);
  if (tracker) trackers.set(request, { track: (events) => tracker.track(calledBy(inside, events)) });
}

function calledBy(inside: Inside, { onOpen, onMessage, onClose, onError }: WSEvents): WSEvents {
  return {
    ...(onOpen && { onOpen: (event, socket) => inside(() => onOpen(event, socket)) }),
    ...(onMessage && { onMessage: (event, socket) => inside(() => onMessage(event, socket)) }),
    ...(onClose && { onClose: (event, socket) => inside(() => onClose(event, socket)) }),
    ...(onError && { onError: (event, socket) => inside(() => onError(event, socket)) }),
  };
}

/** What the servers hand to `fetch` that can upgrade a request; at most one is there. */
interface Upgrader {
  /** Bun's server. Its `websocket` handlers find the events in `data`. */
  upgrade?(request: Request, options: { data: SocketData }): boolean;
  /** What our server under Node hands over. */
  readonly wss?: { readonly upgradeWebSocket?: UpgradeWebSocket };
}

/** What a WebSocket carries under Bun: the shape that Hono's own `websocket` handlers read. */
export interface SocketData {
  events: WSEvents;
  url: URL;
  protocol: string;
}

/** The part of Deno's API that is used here; its types are not among the dependencies. */
interface DenoUpgrade {
  upgradeWebSocket(
    request: Request,
    options: { protocol?: string },
  ): { response: Response; socket: globalThis.WebSocket };
}

/**
 * Makes a route a WebSocket: `app.get("/live", upgradeWebSocket((c) => ({ onMessage(event, socket) { … } })))`, as Hono's
 * helpers do, whatever the runtime. A request that asks for no WebSocket goes to the next handler. When the runtime stops, the
 * client gets 1001. Throws `UsageError` behind a server that cannot upgrade.
 */
export const upgradeWebSocket: UpgradeWebSocket = defineWebSocketHelper((c, own) => {
  if (c.req.header("upgrade")?.toLowerCase() !== "websocket") return undefined;
  const events = trackers.get(c.req.raw)?.track(own) ?? own;
  const protocol = c.req.header("sec-websocket-protocol")?.split(",")[0]?.trim() ?? "";
  const upgrader = (c.env ?? {}) as Upgrader;
  if (upgrader.upgrade) {
    const data = { events, url: new URL(c.req.url), protocol };
    return upgrader.upgrade(c.req.raw, { data }) ? new Response(null) : undefined;
  }
  if (upgrader.wss?.upgradeWebSocket) return upgrader.wss.upgradeWebSocket(c, events);
  const { Deno } = globalThis as { Deno?: DenoUpgrade };
  if (Deno) return upgradeUnderDeno(c, { Deno, events, protocol });
  throw new UsageError(
    "cannot upgrade to a WebSocket: this server gives no way to; serve the app with Bun.serve, Deno.serve or `haraka run`",
  );
});

function upgradeUnderDeno(
  c: Context,
  { Deno, events, protocol }: { Deno: DenoUpgrade; events: WSEvents; protocol: string },
): Response {
  const { response, socket } = Deno.upgradeWebSocket(c.req.raw, protocol === "" ? {} : { protocol });
  socket.binaryType = "arraybuffer";
  const context = new WSContext({
    raw: socket,
    url: new URL(c.req.url),
    protocol,
    get readyState() {
      return socket.readyState as WSContext["readyState"];
    },
    send: (data) => socket.send(data),
    close: (code, reason) => socket.close(code, reason),
  });
  socket.addEventListener("open", (event) => events.onOpen?.(event, context));
  socket.addEventListener("message", (event) => events.onMessage?.(event as MessageEvent, context));
  socket.addEventListener("close", (event) => events.onClose?.(event, context));
  socket.addEventListener("error", (event) => events.onError?.(event, context));
  return response;
}
