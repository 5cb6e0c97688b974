// The HTTP server under Node, by @hono/node-server. Hands Node's request and response to `fetch`, which give the peer's
// address and when the answer has left; never looks at a request.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import type { Listen } from "./server.ts";

export const listen: Listen = async ({ host, port, idleTimeoutMs, fetch }) => {
  // The host name stands in for a Host header, which HTTP/1.0 does not need.
  const listener = getRequestListener(fetch, { hostname: "localhost" });
  const server = createServer({ keepAliveTimeout: idleTimeoutMs }, (incoming, outgoing) => {
    // It answers its own failures and never rejects.
    void listener(incoming, outgoing);
  });
  server.listen(port, host);
  await once(server, "listening");
  return {
    host,
    port: (server.address() as AddressInfo).port,
    close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      return closed;
    },
  };
};
