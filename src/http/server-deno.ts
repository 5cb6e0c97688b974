// The HTTP server under Deno. Hands Deno's info to `fetch`, which gives the peer's address and when the answer has left;
// never looks at a request.
import { withHead } from "./head.ts";
import { closeGently, type Fetch, type Listen, type ListenOnPath } from "./server.ts";

/** The part of Deno's API that is used here; its types are not among the dependencies. */
declare const Deno: {
  serve(
    options: ({ hostname: string; port: number } | { path: string }) & {
      signal: AbortSignal;
      onListen: () => void;
    },
    handler: Fetch,
  ): { addr: { port: number }; finished: Promise<void>; shutdown(): Promise<void> };
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

export const listenOnPath: ListenOnPath = async ({ path, fetch }) => {
  const cut = new AbortController();
  const server = Deno.serve({ path, signal: cut.signal, onListen: () => {} }, withHead(fetch, lengthless));
  return { close: () => closeGently(server.shutdown(), () => cut.abort()) };
};
