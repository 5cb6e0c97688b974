// The HTTP server under Node, by @hono/node-server. Hands Node's request and response to `fetch`, which give the peer's
// address and when the answer has left; never looks at a request.
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import { NodeSockets } from "./server-node-sockets.ts";
import type { Listen } from "./server.ts";

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
  }) as ReturnType<typeof createServer>;
  server.listen(port, host);
  await once(server, "listening");
  return {
    host,
    port: (server.address() as AddressInfo).port,
    close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      // They are no connections of the server any more, but it waits for them.
      sockets.close();
      return closed;
    },
  };
};
