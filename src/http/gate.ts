// The Gate port over HTTP: every request that is not for health passes here, is counted until its answer has left, and is
// told to close its connection once the runtime drains. It knows no routes and stops no service.
import type { Gate } from "../ports/gate.ts";
import { type CountingServer, countingServer, whenSent } from "./connection.ts";
import { problem } from "./problem.ts";

export interface HttpGate extends Gate {
  /** Answers should carry `Connection: close`. */
  readonly closing: boolean;
  /** Lets one request through to `answer`, or refuses it with 503. `env` is what the server handed to `fetch`. */
  pass(env: unknown, answer: () => Promise<Response>): Promise<Response>;
}

/** An open gate. `close` stops the server; without one, as behind the user's own server, `close()` only refuses. */
export function createGate(options: { close?: () => Promise<void> } = {}): HttpGate {
  let state: "open" | "draining" | "refusing" = "open";
  let inside = 0;
  const servers = new Set<CountingServer>();

  /** `answer`, counted by us until it has left; where the server does not say when, until its body has been read. */
  async function counted(env: unknown, answer: () => Promise<Response>): Promise<Response> {
    inside += 1;
    const leave = () => void (inside -= 1);
    const told = whenSent(env, leave);
    try {
      const response = await answer();
      return told ? response : whenRead(response, leave);
    } catch (error) {
      if (!told) leave();
      throw error;
    }
  }

  return {
    get closing() {
      return state !== "open";
    },
    async pass(env, answer) {
      if (state === "refusing") return refusal();
      const server = countingServer(env);
      if (server !== undefined) servers.add(server);
      const response = server === undefined ? await counted(env, answer) : await answer();
      return state === "open" ? response : withClose(response);
    },
    drain() {
      if (state === "open") state = "draining";
    },
    refuse() {
      state = "refusing";
    },
    inFlight() {
      let count = inside;
      for (const server of servers) count += server.pendingRequests;
      return count;
    },
    async close() {
      state = "refusing";
      await options.close?.();
    },
  };
}

function refusal(): Response {
  return problem({
    status: 503,
    title: "Service Unavailable",
    detail: "cannot serve this request: the runtime is stopping; send it to another instance",
    headers: { connection: "close", "retry-after": "1" },
  });
}

/** The same response, with `leave` called once its body has been read to its end or given up. */
function whenRead(response: Response, leave: () => void): Response {
  if (response.body === null) {
    leave();
    return response;
  }
  const { readable, writable } = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>();
  response.body.pipeTo(writable).then(leave, leave);
  return new Response(readable, response);
}

function withClose(response: Response): Response {
  try {
    response.headers.set("connection", "close");
    return response;
  } catch {
    // A response that came out of `fetch` has headers that cannot be changed.
    const copy = new Response(response.body, response);
    copy.headers.set("connection", "close");
    return copy;
  }
}
