// Server-sent events on their way out: each stream can be ended by us, with a last event that tells its client when to come
// back. Changes nothing else about them, and never looks into what a client has asked for.

/** How long a client should wait before it connects again, to whoever is there by then. */
const RETRY_MS = 1_000;

export interface CarriedStream {
  /** The same, and we can end it. */
  response: Response;
  /** Its client has gone: nothing more is sent, and nobody may come to read. */
  abandon: () => void;
}

export interface EventStreams {
  /** Those whose end has not been taken by the server yet. */
  readonly open: number;
  /** Calls `gone` once the server has taken the last byte, or when the client has gone. */
  carry(response: Response, gone: () => void): CarriedStream;
  /** Ends all streams, and from now on each one as it comes. */
  end(): void;
}

export function isEventStream(response: Response): boolean {
  return response.headers.get("content-type")?.startsWith("text/event-stream") === true;
}

export function createEventStreams(): EventStreams {
  const streams = new Set<EndableStream>();
  let ending = false;
  return {
    get open() {
      return streams.size;
    },
    carry(response, gone) {
      if (response.body === null) {
        gone();
        return { response, abandon() {} };
      }
      const stream = new EndableStream(response.body, {
        isText: !response.headers.has("content-encoding"),
        gone() {
          streams.delete(stream);
          gone();
        },
      });
      streams.add(stream);
      if (ending) stream.end();
      return { response: new Response(stream.readable, response), abandon: () => stream.abandon() };
    },
    end() {
      ending = true;
      for (const stream of streams) stream.end();
    },
  };
}

type Chunk = Uint8Array<ArrayBuffer>;

/** Hands on what the source gives, one piece when it is asked for one: so it is known what the server has not taken yet. */
class EndableStream {
  readonly readable: ReadableStream<Chunk>;
  readonly #source: ReadableStreamDefaultReader<Chunk>;
  #isText: boolean;
  readonly #gone: () => void;
  /** The last few bytes that went out. */
  #tail = "\n\n";
  #ending = false;
  /** Set while the server waits for a piece. */
  #deliver: (() => void) | undefined;

  constructor(source: ReadableStream<Chunk>, { isText, gone }: { isText: boolean; gone: () => void }) {
    this.#source = source.getReader();
    this.#isText = isText;
    this.#gone = gone;
    this.readable = new ReadableStream<Chunk>(
      {
        pull: (controller) => this.#next(controller),
        cancel: (reason) => {
          this.#deliver = undefined;
          this.#gone();
          return this.#source.cancel(reason);
        },
      },
      { highWaterMark: 0 },
    );
  }

  /** The server gets the last event as soon as it wants a piece. */
  end(): void {
    this.#ending = true;
    this.#deliver?.();
  }

  /** Its client has gone: nothing more is sent, and nobody may come to read. */
  abandon(): void {
    this.#gone();
    this.#isText = false;
    this.end();
  }

  /** Resolves when the server has its piece, or knows that there is none. */
  #next(controller: ReadableStreamDefaultController<Chunk>): Promise<void> {
    if (this.#ending) {
      this.#close(controller);
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      this.#deliver = () => {
        this.#deliver = undefined;
        this.#close(controller);
        resolve();
      };
      this.#source.read().then(
        ({ done, value }) => {
          if (this.#deliver === undefined) return;
          this.#deliver = undefined;
          if (done) this.#finish(controller);
          else this.#pass(value, controller);
          resolve();
        },
        (error: unknown) => {
          if (this.#deliver === undefined) return;
          this.#deliver = undefined;
          this.#gone();
          reject(error);
        },
      );
    });
  }

  #pass(piece: Chunk | string, controller: ReadableStreamDefaultController<Chunk>): void {
    // Bun lets a stream give strings.
    const value = typeof piece === "string" ? encode(piece) : piece;
    this.#tail = (this.#tail + String.fromCharCode(...value.subarray(-4))).slice(-4);
    controller.enqueue(value);
  }

  #close(controller: ReadableStreamDefaultController<Chunk>): void {
    if (this.#isText) controller.enqueue(farewell(this.#tail));
    this.#finish(controller);
    // It has nobody to write to any more, as when a client goes.
    this.#source.cancel().catch(() => {});
  }

  #finish(controller: ReadableStreamDefaultController<Chunk>): void {
    controller.close();
    this.#gone();
  }
}

/** Half an event stays half an event, which clients drop: no empty line of ours completes it. */
function farewell(tail: string): Chunk {
  const written = tail.replace(/\r\n?/g, "\n");
  if (written.endsWith("\n\n")) return encode(`retry: ${RETRY_MS}\n\n`);
  return encode(`${written.endsWith("\n") ? "" : "\n"}retry: ${RETRY_MS}\n`);
}

function encode(text: string): Chunk {
  return new TextEncoder().encode(text);
}
