// The HTTP server under Bun. Hands the server itself to `fetch`, which gives the peer's address and counts requests; never
// looks at a request.
import { closeGently, type Listen, type ListenOnPath } from "./server.ts";

/** The largest that Bun takes. */
const IDLE_TIMEOUT_SECONDS_MAX = 255;

export const listen: Listen = async ({ host, port, idleTimeoutMs, fetch }) => {
  const server = Bun.serve({
    hostname: host,
    port,
    idleTimeout: Math.min(Math.ceil(idleTimeoutMs / 1000), IDLE_TIMEOUT_SECONDS_MAX),
    // Otherwise an error answers with a page that shows the source.
    development: false,
    // Which by itself lets a second process open the same port in silence.
    reusePort: false,
    fetch,
  });
  return { host, port: server.port ?? port, close: () => server.stop(true) };
};

export const listenOnPath: ListenOnPath = async ({ path, fetch }) => {
  const server = Bun.serve({
    unix: path,
    development: false,
    // Not in its type, but it counts, and is 10 s without.
    idleTimeout: IDLE_TIMEOUT_SECONDS_MAX,
    fetch,
  } as Bun.Serve.Options<undefined>);
  return { close: () => closeGently(server.stop(), () => server.stop(true)) };
};
