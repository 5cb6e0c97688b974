// A list as a live tail: server-sent events with the sequence number as their id. It takes the next one when the reader has room
// for it, so a slow reader loses nothing and costs nothing. It ends when the runtime drains, and never by itself.
import { PlaneError, StoreError } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";
import { FORMATS, HEARTBEAT_MS, type Message } from "./feed.ts";

/** Everything behind the sequence number `after`, once, in order; from the first that is kept when that is not said. */
export type Events = (options: {
  after: number | undefined;
  signal: AbortSignal;
}) => AsyncIterable<Message & { id: number }>;

export interface TailOptions {
  after: number | undefined;
  clock: Pick<Clock, "after">;
  /** Aborts when no more will come; the stream then ends with `event: end` and a `retry:`. */
  ending: AbortSignal;
  /** Told what ended the stream, unless it is what `ending` says. */
  onFailure: (error: unknown) => void;
}

const { first, heartbeat, last, text, type } = FORMATS.sse;
const encoder = new TextEncoder();
/** For whoever comes again with the last id: that one does not lead on any more. */
const COMPACTED = text({ event: "compacted", data: {} });

export function tail(events: Events, options: TailOptions): Response {
  return new Response(new ReadableStream(new Tail(events, options), { highWaterMark: 0 }), {
    headers: HEADERS,
  });
}

/** What HEAD gets. */
export function noTail(): Response {
  return new Response(null, { headers: HEADERS });
}

const HEADERS = { "content-type": type, "cache-control": "no-store", "x-accel-buffering": "no" };

type Outcome = { text: string; isLast?: boolean };

class Tail implements UnderlyingDefaultSource<Uint8Array<ArrayBuffer>> {
  readonly #options: TailOptions;
  readonly #stop = new AbortController();
  readonly #events: AsyncIterator<Message & { id: number }>;
  /** The next one is asked for, and has not gone out yet. */
  #isAsking = false;
  /** What goes out when there is room: by then there may be an event and the end. */
  #outcome: Outcome | undefined;
  #wake = () => {};
  #isOpened = false;

  constructor(events: Events, options: TailOptions) {
    this.#options = options;
    this.#events = events({ after: options.after, signal: this.#stop.signal })[Symbol.asyncIterator]();
  }

  /** Resolves once something has been sent. */
  async pull(controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>): Promise<void> {
    const { text, isLast } = await this.#take();
    if (this.#stop.signal.aborted) return;
    controller.enqueue(encoder.encode(text));
    if (!isLast) return;
    this.cancel();
    controller.close();
  }

  cancel(): void {
    this.#stop.abort();
    this.#wake();
    // Of a generator that waits, the end comes after what it waits for.
    this.#events.return?.()?.catch(() => {});
  }

  async #take(): Promise<Outcome> {
    // So that the head of the answer leaves at once.
    if (!this.#isOpened) {
      this.#isOpened = true;
      return { text: first };
    }
    const { ending, clock } = this.#options;
    if (ending.aborted) return end(ending);
    if (!this.#isAsking) void this.#ask();
    if (this.#outcome === undefined) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      ending.addEventListener("abort", this.#wake, { once: true });
      const stopBeating = clock.after(HEARTBEAT_MS, this.#wake);
      await promise;
      stopBeating();
      ending.removeEventListener("abort", this.#wake);
    }
    if (ending.aborted) return end(ending);
    const outcome = this.#outcome;
    if (outcome === undefined) return { text: heartbeat };
    this.#outcome = undefined;
    this.#isAsking = false;
    return outcome;
  }

  async #ask(): Promise<void> {
    this.#isAsking = true;
    try {
      const { value, done } = await this.#events.next();
      this.#outcome = done ? { text: last("there is no more"), isLast: true } : { text: text(value) };
    } catch (error) {
      this.#outcome = { text: this.#failure(error), isLast: true };
    }
    this.#wake();
  }

  #failure(error: unknown): string {
    if (this.#stop.signal.aborted) return "";
    if (error instanceof PlaneError) {
      const compacted = error.problem === "compacted" ? COMPACTED : "";
      return compacted + last(error.message);
    }
    this.#options.onFailure(error);
    return last(error instanceof StoreError ? "the store cannot be reached" : "it cannot be read on");
  }
}

function end(ending: AbortSignal): Outcome {
  return { text: last(String(ending.reason)), isLast: true };
}
