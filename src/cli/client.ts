// The command line's way to a running runtime: HTTP over its control socket. Finds the socket, asks, and says in words why
// there is no answer. It starts nothing and changes no file.
import type { IncomingMessage } from "node:http";
import { resolve } from "node:path";
import process from "node:process";
import { type ConfigError, messageOf, UsageError } from "../errors.ts";
import { configRequest } from "./config-flags.ts";
import { readEvents, type StreamEvent } from "./event-stream.ts";
import { type Args, type Io, VerbFailure } from "./verb.ts";

/** A runtime whose loop turns answers within milliseconds; this is for one on a machine that swaps. */
const PATIENCE_MS = 5_000;
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;

export interface Answer<T> {
  status: number;
  body: T;
}

/** What an answer that is no success says. */
export interface Problem {
  title: string;
  detail?: string;
}

export interface Client {
  /** Where it asks. */
  socket: string;
  /** The JSON answer. Throws `VerbFailure` for any status but 2xx and those in `expect`. */
  ask<T>(method: "GET" | "POST", path: string, options?: AskOptions): Promise<Answer<T>>;
  /** The answer to a GET as it is. Rejects with whatever keeps it from being got. */
  read(path: string, signal: AbortSignal): Promise<{ status: number; text: string }>;
  /** Server-sent events, until the stream ends or `signal` aborts; `open` comes first: from then on nothing is missed. */
  events(path: string, signal: AbortSignal): AsyncGenerator<StreamEvent>;
}

export interface AskOptions {
  body?: object;
  headers?: Record<string, string>;
  expect?: readonly number[];
  /** Default 5000. */
  timeoutMs?: number;
}

/** Where to ask, and what to say when nobody answers there. */
interface Where {
  socket: string;
  unreachable?: () => Error;
}

/** `--socket`, else `HARAKA_SOCKET`, else the config's, also of one that is not in order. Throws `VerbFailure` where that has none. */
async function findSocket(args: Args, io: Io): Promise<Where> {
  const named = args.flags["socket"] ?? io.env["HARAKA_SOCKET"];
  if (typeof named === "string" && named !== "") return { socket: resolve(io.cwd, named) };
  const { findDoors } = await import("../compose/find-doors.ts");
  const { socket, problem } = findDoors(configRequest(args, io));
  if (socket === false) {
    if (problem) throw new UsageError(inTheDark(problem, socket));
    throw new VerbFailure(
      "cannot ask the runtime: its config has control.socket: false; remove that and restart the runtime",
    );
  }
  if (!problem) return { socket };
  return { socket, unreachable: () => new UsageError(inTheDark(problem, socket)) };
}

/** The config has problems, and nobody is where it, or else the default, says, or it says that there is no such place. */
export function inTheDark(problem: ConfigError | UsageError, socket: string | false): string {
  const advice = "name the runtime's socket with --socket PATH or HARAKA_SOCKET";
  if (problem instanceof UsageError) return `${problem.message}; or ${advice}`;
  const place =
    socket === false
      ? ", which has control.socket: false as far as can be told"
      : `, and nobody answers at ${socket}`;
  return `cannot read the config${place}; correct it, or ${advice}:\n${problem.message}`;
}

export async function connect(args: Args, io: Io): Promise<Client> {
  return clientOf(await findSocket(args, io));
}

export function clientOf({ socket, unreachable }: Where): Client {
  const failure = (error: unknown, timeoutMs: number): Error => {
    const reason = reasonOf(error, { socket, timeoutMs });
    const isNobody = ["ENOENT", "ECONNREFUSED", "ENOTSOCK"].includes(String(codeOf(error)));
    return (isNobody && unreachable?.()) || new VerbFailure(reason, { cause: error });
  };
  return {
    socket,
    async ask<T>(method: "GET" | "POST", path: string, options: AskOptions = {}) {
      const { expect = [], timeoutMs = PATIENCE_MS } = options;
      const signal = AbortSignal.timeout(timeoutMs);
      const response = await request(socket, { method, path, signal, ...options }).catch((error: unknown) => {
        throw failure(error, timeoutMs);
      });
      const text = await readAll(response, { socket, timeoutMs });
      const status = response.statusCode ?? 0;
      if (status >= 300 && !expect.includes(status))
        throw new VerbFailure(problemOf(text, { status, socket }));
      return { status, body: parse<T>(text, response, socket) };
    },
    async read(path, signal) {
      const response = await request(socket, { method: "GET", path, signal });
      return { status: response.statusCode ?? 0, text: await collect(response) };
    },
    async *events(path, signal) {
      const headers = { accept: "text/event-stream" };
      let response: IncomingMessage;
      try {
        response = await request(socket, { method: "GET", path, headers, signal });
      } catch (error) {
        if (signal.aborted) return;
        throw failure(error, PATIENCE_MS);
      }
      const status = response.statusCode ?? 0;
      if (status !== 200) {
        const text = await readAll(response, { socket, timeoutMs: PATIENCE_MS });
        throw new VerbFailure(problemOf(text, { status, socket }));
      }
      try {
        yield { event: "open", data: null };
        yield* readEvents(response);
      } catch (error) {
        // The runtime may end without the last word.
        if (!signal.aborted && codeOf(error) !== "ECONNRESET") throw error;
      }
    },
  };
}

interface RequestOptions {
  method: string;
  path: string;
  signal: AbortSignal;
  headers?: Record<string, string>;
  body?: object;
}

async function request(
  socket: string,
  { body, headers, ...options }: RequestOptions,
): Promise<IncomingMessage> {
  const http = await import("node:http");
  const text = body === undefined ? "" : JSON.stringify(body);
  const { promise, resolve: answer, reject } = Promise.withResolvers<IncomingMessage>();
  const outgoing = http.request({
    ...options,
    socketPath: socket,
    // Nothing is asked twice, and a kept connection would keep the process.
    agent: false,
    headers: {
      host: "localhost",
      connection: "close",
      "content-length": Buffer.byteLength(text),
      ...headers,
    },
  });
  outgoing.once("response", answer).once("error", reject).end(text);
  return promise;
}

async function readAll(
  response: IncomingMessage,
  where: { socket: string; timeoutMs: number },
): Promise<string> {
  try {
    return await collect(response);
  } catch (error) {
    throw new VerbFailure(reasonOf(error, where), { cause: error });
  }
}

async function collect(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES_MAX) throw new Error(`its answer is larger than ${ANSWER_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parse<T>(text: string, { headers }: IncomingMessage, socket: string): T {
  if (!/\bjson\b/.test(headers["content-type"] ?? "")) return text as T;
  try {
    return JSON.parse(text) as T;
  } catch (error) {
    throw new VerbFailure(notUnderstood(socket, messageOf(error)), { cause: error });
  }
}

function problemOf(text: string, { status, socket }: { status: number; socket: string }): string {
  try {
    const { title, detail } = JSON.parse(text) as Problem;
    if (typeof title === "string") return detail ?? title;
  } catch {
    // Then it is nobody we know.
  }
  return notUnderstood(socket, `it answered with status ${status}`);
}

function notUnderstood(socket: string, why: string): string {
  return `cannot understand what answers on ${socket}: ${why}; is it a haraka runtime?`;
}

function reasonOf(error: unknown, { socket, timeoutMs }: { socket: string; timeoutMs: number }): string {
  const { lstatSync } = process.getBuiltinModule("node:fs");
  const what = `cannot reach a runtime at ${socket}`;
  switch (codeOf(error)) {
    case "ENOENT":
      return `${what}: nothing is there; start one with 'haraka run', or name its socket with --socket PATH`;
    case "ECONNREFUSED":
    case "ENOTSOCK": {
      const found = lstatSync(socket, { throwIfNoEntry: false });
      if (found && !found.isSocket())
        return `${what}: it is no socket; name the right one with --socket PATH`;
      return `${what}: nobody listens; the last one has died, start one with 'haraka run'`;
    }
    case "EACCES":
    case "EPERM":
      return `${what}: permission denied for uid ${process.geteuid?.()}${ownerOf(socket)}`;
    default:
  }
  if (error instanceof Error && /^(Timeout|Abort)Error$/.test(error.name))
    return `${what}: it does not answer within ${timeoutMs / 1000} s`;
  return notUnderstood(socket, messageOf(error));
}

function ownerOf(socket: string): string {
  const { lstatSync } = process.getBuiltinModule("node:fs");
  try {
    return `; the socket belongs to uid ${lstatSync(socket).uid}, ask as that user or as root`;
  } catch {
    return "; its folder is closed to it, ask as the runtime's user or as root";
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

/** The path of one service. */
export function servicePath(name: string, rest = ""): string {
  return `/api/v1/services/${encodeURIComponent(name)}${rest}`;
}
