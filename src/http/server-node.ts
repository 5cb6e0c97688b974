// The HTTP server under Node, by @hono/node-server. Hands Node's request and response to `fetch`, which give the peer's
// address and when the answer has left; never looks at a request.
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer, getRequestListener } from "@hono/node-server";
import { NodeSockets } from "./server-node-sockets.ts";
import { closeGently, type Listen, type ListenOnPath } from "./server.ts";

export const listen: Listen = async ({ host, port, idleTimeoutMs, fetch }) => {
  const sockets = new NodeSockets();
  const options = {
    keepAliveTimeout: idleTimeoutMs,
    // Any other offer to upgrade is one to decline, as by a server that knows none.
    shouldUpgradeCallback: ({ headers }: IncomingMessage) => headers.upgrade?.toLowerCase() === "websocket",
  };
  const server = createAdaptorServer({
    fetch,
    // Stands in for a Host header, which HTTP/1.0 does not need.
    hostname: "localhost",
    createServer,
    serverOptions: options,
    websocket: { server: sockets },
  }) as Server;
  server.listen(port, host);
  await once(server, "listening");
  return {
    host,
    port: (server.address() as AddressInfo).port,
    close() {
      const gone = closed(server);
      server.closeAllConnections();
      // They are no connections of the server any more, but it waits for them.
      sockets.close();
      return gone;
    },
  };
};

export const listenOnPath: ListenOnPath = async ({ path, fetch }) => {
  const listener = getRequestListener(fetch, { hostname: "localhost" });
  // It answers its own failures and never rejects.
  const server = createServer((incoming, outgoing) => void listener(incoming, outgoing)).listen(path);
  await once(server, "listening");
  return { close: () => closeGently(closed(server), () => server.closeAllConnections()) };
};

/** It listens no more, and connections without a request are closed; resolves when there are no others. */
function closed(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}
