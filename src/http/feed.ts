// One listener's stream of what happens, as server-sent events or JSON lines. A reader that is too slow loses messages and is
// told how many; it never makes the runtime wait or grow. It holds no timer and no subscription once nobody listens.
import type { Clock } from "../ports/clock.ts";

/** What may wait for a slow reader before messages are dropped. */
const WAITING_BYTES_MAX = 256 * 1024;
/** Below the 30 s after which the first proxies give up a silent connection. */
export const HEARTBEAT_MS = 15_000;
/** When to come back after the end; a runtime takes about that long to be replaced. */
const RETRY_MS = 1_000;

export interface Message {
  event: string;
  id?: number;
  data: object;
}

export interface FeedOptions {
  /** `sse`: `event`, `id`, `data`. `ndjson`: the data alone, one line each, an empty line as heartbeat. */
  format: "sse" | "ndjson";
  clock: Clock;
  /** Aborts when no more will come: the stream then ends with an `end` event that has the signal's reason, and a `retry:`. */
  ending: AbortSignal;
  /** Goes first, whole, however large. */
  backlog?: readonly Message[];
  /** Calls `send` with everything from now on; returns a function that ends it. */
  subscribe(send: (message: Message) => void): () => void;
}

interface Format {
  type: string;
  first: string;
  heartbeat: string;
  last(reason: string): string;
  text(message: Message): string;
}

export const FORMATS: Readonly<Record<FeedOptions["format"], Format>> = {
  sse: {
    type: "text/event-stream",
    first: `retry: ${RETRY_MS}\n\n`,
    heartbeat: ":\n\n",
    last: (reason) => `retry: ${RETRY_MS}\nevent: end\ndata: ${JSON.stringify({ reason })}\n\n`,
    text: ({ event, id, data }) =>
      `${id === undefined ? "" : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`,
  },
  ndjson: {
    type: "application/x-ndjson",
    first: "",
    heartbeat: "\n",
    last: () => "",
    text: ({ data }) => `${JSON.stringify(data)}\n`,
  },
};

/** Subscribes when the body is first read, as it is at once by a server, and never for HEAD. */
export function feed(options: FeedOptions): Response {
  const { type } = FORMATS[options.format];
  return new Response(bodyOf(options), {
    headers: { "content-type": type, "cache-control": "no-store", "x-accel-buffering": "no" },
  });
}

function bodyOf({
  format,
  clock,
  ending,
  backlog = [],
  subscribe,
}: FeedOptions): ReadableStream<Uint8Array<ArrayBuffer>> {
  const { first, heartbeat, last, text } = FORMATS[format];
  const encoder = new TextEncoder();
  let lost = 0;
  let tellLost = () => {};
  let release = () => {};
  return new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      start(controller) {
        const write = (written: string) => controller.enqueue(encoder.encode(written));
        const hasRoom = () => (controller.desiredSize ?? 0) > 0;
        tellLost = () => {
          if (lost === 0) return;
          write(text({ event: "lost", data: { lost } }));
          lost = 0;
        };
        const send = (message: Message) => {
          if (!hasRoom()) return void (lost += 1);
          tellLost();
          write(text(message));
        };
        const end = () => {
          release();
          tellLost();
          write(last(String(ending.reason)));
          controller.close();
        };
        write(first + backlog.map(text).join(""));
        if (ending.aborted) return end();
        let stopBeating = () => {};
        const beat = () => {
          stopBeating = clock.after(HEARTBEAT_MS, () => {
            if (hasRoom()) write(heartbeat);
            beat();
          });
        };
        beat();
        const unsubscribe = subscribe(send);
        ending.addEventListener("abort", end, { once: true });
        release = () => {
          stopBeating();
          unsubscribe();
          ending.removeEventListener("abort", end);
        };
      },
      pull: () => tellLost(),
      cancel: () => release(),
    },
    new ByteLengthQueuingStrategy({ highWaterMark: WAITING_BYTES_MAX }),
  );
}
