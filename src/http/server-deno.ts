// The HTTP server under Deno. Hands Deno's info to `fetch`, which gives the peer's address and when the answer has left;
// never looks at a request.
import { withHead } from "./head.ts";
import type { Fetch, Listen } from "./server.ts";

/** The part of Deno's API that is used here; its types are not among the dependencies. */
declare const Deno: {
  serve(
    options: { hostname: string; port: number; signal: AbortSignal; onListen: () => void },
    handler: Fetch,
  ): { addr: { port: number }; finished: Promise<void> };
};

export const listen: Listen = async ({ host, port, fetch }) => {
  const cut = new AbortController();
  // Silent: by default it prints where it listens.
  const server = Deno.serve(
    { hostname: host, port, signal: cut.signal, onListen: () => {} },
    withHead(fetch, lengthless),
  );
  return {
    host,
    port: server.addr.port,
    close() {
      cut.abort();
      return server.finished;
    },
  };
};

/** Deno leaves the length out where it cannot know it. */
function lengthless(answer: Response): Response {
  return new Response(new ReadableStream({ start: (content) => content.close() }), answer);
}
