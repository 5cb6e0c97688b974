// The plane of a running runtime as a program asks it over HTTP: JSON in, status and JSON out, and the events of its streams. It
// expects nothing of an answer.
import type { Runtime } from "./runtime.ts";

export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  /** Of JSON; anything, as of somebody else. */
  body: any;
}

export interface Asked {
  json?: unknown;
  body?: BodyInit;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

export interface PlaneClient {
  /** `"POST /sessions"`, below `/api/v1`. */
  ask(line: string, asked?: Asked): Promise<Answer>;
  /** The id of a new session. */
  session(user?: string): Promise<string>;
  /** Submits, and resolves with the execution once it has settled. */
  done(type: string, asked: { session: string; payload?: unknown; key?: string }): Promise<any>;
  /** The events of a stream, each with its id. Ends with the stream, or when whoever reads stops. */
  events(path: string, headers?: Record<string, string>): AsyncGenerator<StreamEvent>;
}

export interface StreamEvent {
  id: number;
  event: string;
  data: any;
}

/** `headers`: of every request, as `{ authorization: "Bearer …" }`. */
export async function planeOf(runtime: Runtime, headers: Record<string, string> = {}): Promise<PlaneClient> {
  return planeAt(await runtime.url(), headers);
}

/** `url`: of the port. */
export function planeAt(url: string, headers: Record<string, string> = {}): PlaneClient {
  const root = `${url}/api/v1`;
  const ask = async (line: string, asked: Asked = {}): Promise<Answer> => {
    const [method = "", path = ""] = line.split(" ");
    const { json, body = json === undefined ? undefined : JSON.stringify(json), signal } = asked;
    const response = await fetch(root + path, {
      method,
      headers: {
        ...(body !== undefined && { "content-type": "application/json" }),
        ...headers,
        ...asked.headers,
      },
      keepalive: false,
      ...(body !== undefined && { body }),
      ...(signal && { signal }),
    });
    const text = await response.text();
    const isJson = /json/.test(response.headers.get("content-type") ?? "") && text !== "";
    return { status: response.status, headers: response.headers, text, body: isJson ? JSON.parse(text) : {} };
  };
  return {
    ask,
    session: async (user = "ann") => (await ask("POST /sessions", { json: { user } })).body.id,
    async done(type, { session, payload = {}, key }) {
      const json = { type, session, payload };
      const { body } = await ask("POST /intents", {
        json,
        ...(key !== undefined && { headers: { "idempotency-key": key } }),
      });
      return (await ask(`GET /executions/${body.id}?wait=15s`)).body;
    },
    async *events(path, more = {}) {
      const response = await fetch(root + path, {
        headers: { accept: "text/event-stream", ...headers, ...more },
      });
      yield* eventsIn(response.body!.pipeThrough(new TextDecoderStream()));
    },
  };
}

async function* eventsIn(stream: ReadableStream<string>): AsyncGenerator<StreamEvent> {
  let text = "";
  for await (const part of stream) {
    const blocks = (text + part).split("\n\n");
    text = blocks.pop() ?? "";
    for (const block of blocks) {
      const fields = new Map(block.split("\n").map((line) => line.split(/: (.*)/s) as [string, string]));
      const data = fields.get("data");
      if (data === undefined) continue;
      yield { id: Number(fields.get("id")), event: fields.get("event") ?? "", data: JSON.parse(data) };
    }
  }
}
