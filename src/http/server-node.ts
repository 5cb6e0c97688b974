// The HTTP server under Node, by @hono/node-server. Hands Node's request and response to `fetch`, which give the peer's
// address and when the answer has left; never looks at a request.
import { once } from "node:events";
import { createServer, type Server, type ServerOptions } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { closeGently, type Fetch, type Listen, type ListenOnPath } from "./server.ts";

export const listen: Listen = async ({ host, port, idleTimeoutMs, fetch }) => {
  const server = serverOf(fetch, { keepAliveTimeout: idleTimeoutMs });
  server.listen(port, host);
  await once(server, "listening");
  return {
    host,
    port: (server.address() as AddressInfo).port,
    close() {
      const gone = closed(server);
      server.closeAllConnections();
      return gone;
    },
  };
};

export const listenOnPath: ListenOnPath = async ({ path, fetch }) => {
  const server = serverOf(fetch, {}).listen(path);
  await once(server, "listening");
  return { close: () => closeGently(closed(server), () => server.closeAllConnections()) };
};

function serverOf(fetch: Fetch, options: ServerOptions): Server {
  // The host name stands in for a Host header, which HTTP/1.0 does not need.
  const listener = getRequestListener(fetch, { hostname: "localhost" });
  return createServer(options, (incoming, outgoing) => {
    // It answers its own failures and never rejects.
    void listener(incoming, outgoing);
  });
}

/** It listens no more, and connections without a request are closed; resolves when there are no others. */
function closed(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}
