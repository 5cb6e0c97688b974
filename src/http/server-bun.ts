// The HTTP server under Bun. Hands the server itself to `fetch`, which gives the peer's address and counts requests; never
// looks at a request.
import { withHead } from "./head.ts";
import type { Listen } from "./server.ts";

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
    fetch: withHead(fetch, lengthless),
  });
  return { host, port: server.port ?? port, close: () => server.stop(true) };
};

/** Bun leaves the length out only where the content would come in chunks. */
function lengthless(answer: Response): Response {
  const headers = new Headers(answer.headers);
  headers.set("transfer-encoding", "chunked");
  return new Response(null, { status: answer.status, statusText: answer.statusText, headers });
}
