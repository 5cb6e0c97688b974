// The Gate port over HTTP: every request that is not for health passes here, is counted until its answer has left, and is
// told to close its connection once the runtime drains. It knows no routes and stops no service.
import type { Clock } from "../ports/clock.ts";
import type { Gate } from "../ports/gate.ts";
import { keepOpen } from "./connection.ts";
import { createEventStreams, isEventStream } from "./event-streams.ts";
import { type Arrival, InFlight } from "./in-flight.ts";
import { createProberWatch, type ProberWatch } from "./probers.ts";
import { problem } from "./problem.ts";
import { createWebSockets } from "./web-sockets.ts";

export interface HttpGate extends Gate {
  /** Answers should carry `Connection: close`. */
  readonly closing: boolean;
  /** Aborts when the drain begins: who waits for something answers at once. */
  readonly draining: AbortSignal;
  /** Who asks readiness. */
  readonly watch: ProberWatch;
  /** Lets one request through to `answer`, or refuses it with 503. */
  pass(arrival: Arrival, answer: () => Promise<Response>): Promise<Response>;
}

export interface GateOptions {
  clock: Pick<Clock, "now" | "after">;
  /** Stops the server; without it, as behind the user's own server, `close()` only refuses. */
  close?: () => Promise<void>;
}

/** An open gate. */
export function createGate({ clock, close }: GateOptions): HttpGate {
  let state: "open" | "draining" | "refusing" = "open";
  const draining = new AbortController();
  const watch = createProberWatch(clock);
  const streams = createEventStreams();
  const sockets = createWebSockets();
  const inFlight = new InFlight(clock, () => streams.open);

  async function answered(arrival: Arrival, answer: () => Promise<Response>): Promise<Response> {
    const visit = inFlight.enter(arrival);
    let response: Response;
    try {
      response = await answer();
    } catch (error) {
      if (!visit.told) visit.leave();
      visit.answered();
      throw error;
    }
    const request = arrival.req.raw;
    // Nobody reads the body of an answer to HEAD.
    const isRead = request.method !== "HEAD";
    if (isRead && isEventStream(response)) {
      keepOpen(request, arrival.env);
      const stream = streams.carry(response, visit.told ? () => inFlight.look() : visit.leave);
      visit.streams(stream.abandon);
      response = stream.response;
    } else if (!visit.told) {
      if (isRead) response = whenRead(response, visit.leave);
      else visit.leave();
    }
    visit.answered();
    return response;
  }

  return {
    get closing() {
      return state !== "open";
    },
    draining: draining.signal,
    watch,
    async pass(arrival, answer) {
      if (state === "refusing") return refusal();
      if (arrival.req.raw.headers.has("upgrade")) sockets.expect(arrival.req.raw);
      const response = await answered(arrival, answer);
      // An upgraded connection is not one to close, and Deno wants the very answer it made.
      return state === "open" || response.status === 101 ? response : withClose(response);
    },
    drain() {
      if (state === "open") state = "draining";
      draining.abort("the runtime is stopping");
      streams.end();
    },
    refuse() {
      state = "refusing";
      sockets.close();
    },
    probers: watch.active,
    onAsked: watch.onAsked,
    inFlight: () => inFlight.count(),
    whenEmpty: (signal) => inFlight.whenEmpty(signal),
    inside: () => inFlight.names(),
    async close() {
      state = "refusing";
      await close?.();
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
