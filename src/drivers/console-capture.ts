// The console and the standard streams of this process, taken over for code that lives in it: what is said there is handed on as
// text, with whose it is. It knows that by the call that led there, however many promises and timers lie between. What is written
// to a file descriptor itself goes past it, and it never gives the console back.
import { AsyncLocalStorage } from "node:async_hooks";
import * as nodeProcess from "node:process";
import type { LogLevel, OutputStream } from "../ports/log.ts";

export interface Saying {
  /** Whose it is; absent: nobody's in particular. */
  speaker: string | undefined;
  stream: OutputStream;
  level: LogLevel;
}

export interface ConsoleCapture {
  /** What `work` says, and what it begins says later, is the speaker's. Undefined: nobody's. */
  as<T>(speaker: string | undefined, work: () => T): T;
  /** The same while the code in `file` is imported: some runtimes run that on nobody's behalf. */
  importing<T>(speaker: string, options: { file: string; load: () => Promise<T> }): Promise<T>;
}

type Method = (typeof METHODS)[number];
type Console = Record<Method, (...data: unknown[]) => void>;
type Take = (bytes: Uint8Array, saying: Saying) => void;

/** Where `console` itself writes what one says with these, which are by far the most. */
const STREAMS: Readonly<Record<string, OutputStream>> = {
  log: "stdout",
  info: "stdout",
  debug: "stdout",
  warn: "stderr",
  error: "stderr",
};

/** Of all else it is `info`. */
const LEVELS: Readonly<Record<string, LogLevel>> = {
  debug: "debug",
  warn: "warn",
  assert: "warn",
  error: "error",
};

const OUTPUT = [
  "log",
  "info",
  "debug",
  "warn",
  "error",
  "assert",
  "trace",
  "dir",
  "dirxml",
  "table",
] as const;
const GROUPS = ["group", "groupCollapsed", "groupEnd"] as const;
const NUMBERS = ["count", "countReset", "time", "timeEnd", "timeLog"] as const;
const METHODS = [...OUTPUT, ...GROUPS, ...NUMBERS, "clear"] as const;

/**
 * Once for a process. `take` is handed bytes as they come, not lines. What it throws is lost, as is what it says itself.
 */
export function captureConsole({ take }: { take: Take }): ConsoleCapture {
  const storage = new AsyncLocalStorage<string | undefined>();
  /** Speakers whose code is being imported, with the file. */
  const imports = new Map<string, string>();
  const speaker = (): string | undefined => storage.getStore() ?? importerOf(imports);
  let taking = false;
  const say: Say = (chunk, saying) => {
    if (taking) return;
    taking = true;
    try {
      take(typeof chunk === "string" ? Buffer.from(chunk) : chunk, saying);
    } catch {
      // Nobody is there who could be told.
    } finally {
      taking = false;
    }
  };
  const voices = new Map<string | undefined, Voice>();
  const voice = (): Voice => {
    const who = speaker();
    const known = voices.get(who) ?? new Voice(who, say);
    voices.set(who, known);
    return known;
  };
  for (const method of METHODS)
    Object.assign(console, { [method]: (...data: unknown[]) => voice().call(method, data) });
  for (const stream of ["stdout", "stderr"] as const)
    captureStream(stream, (chunk) => say(chunk, { speaker: speaker(), stream, level: "info" }));
  return {
    as: (who, work) => storage.run(who, work),
    async importing(who, { file, load }) {
      imports.set(who, file);
      try {
        return await storage.run(who, load);
      } finally {
        imports.delete(who);
      }
    },
  };
}

type Say = (chunk: string | Uint8Array, saying: Saying) => void;

/** The only one there is, or the one whose file the call comes from. */
function importerOf(imports: ReadonlyMap<string, string>): string | undefined {
  if (imports.size === 0) return undefined;
  const [[only] = []] = imports;
  if (imports.size === 1) return only;
  const { stack = "" } = new Error();
  for (const [speaker, file] of imports) if (stack.includes(file)) return speaker;
  return undefined;
}

/** The console of one speaker: its own groups, counters and timers. */
class Voice {
  readonly #speaker: string | undefined;
  readonly #say: Say;
  #depth = 0;
  #level: LogLevel = "info";
  #console: Console | undefined;

  constructor(speaker: string | undefined, say: Say) {
    this.#speaker = speaker;
    this.#say = say;
  }

  call(method: Method, data: unknown[]): void {
    const level = LEVELS[method] ?? "info";
    const stream = STREAMS[method];
    const text = stream === undefined ? undefined : (jsonOf(data) ?? this.#plainOf(data));
    if (stream !== undefined && text !== undefined) {
      this.#say(`${text}\n`, { speaker: this.#speaker, stream, level });
      return;
    }
    this.#level = level;
    // Bun's leaves out what is to be said with it.
    if (method === "trace") return this.#whole().error(traceOf(data, this.call));
    this.#whole()[method](...data);
    if (method === "group" || method === "groupCollapsed") this.#depth++;
    else if (method === "groupEnd" && this.#depth > 0) this.#depth--;
  }

  /** What needs no formatting: to load what can format takes a third as long as a whole boot. */
  #plainOf(data: readonly unknown[]): string | undefined {
    const [first] = data;
    const formats = typeof first === "string" && data.length > 1 && first.includes("%");
    return this.#depth > 0 || formats || !data.every(isPlain) ? undefined : data.join(" ");
  }

  /** The runtime's own implementation, which writes here. */
  #whole(): Console {
    const { Console: Whole } = process.getBuiltinModule("node:console");
    const streamOf = (stream: OutputStream) => ({
      write: (text: string): void => this.#say(text, { speaker: this.#speaker, stream, level: this.#level }),
    });
    return (this.#console ??= new Whole({
      stdout: streamOf("stdout") as NodeJS.WritableStream,
      stderr: streamOf("stderr") as NodeJS.WritableStream,
      // Else it wants all of a stream's parts.
      ignoreErrors: false,
      colorMode: false,
    }) as unknown as Console);
  }
}

/** Where it was asked for, from the caller of `below` on. */
function traceOf(data: readonly unknown[], below: CallableFunction): string {
  const { format } = process.getBuiltinModule("node:util");
  const at = { stack: "" };
  Error.captureStackTrace(at, below);
  const frames = at.stack.slice(at.stack.indexOf("\n"));
  return data.length === 0 ? `Trace${frames}` : `Trace: ${format(...data)}${frames}`;
}

/** Which `join` makes the same text of as a format would. */
function isPlain(value: unknown): boolean {
  if (typeof value === "number") return !Object.is(value, -0);
  return typeof value === "string" || typeof value === "boolean";
}

/** A single plain object is structured output, and not meant for eyes; what JSON cannot hold is formatted. */
function jsonOf(data: readonly unknown[]): string | undefined {
  const [value] = data;
  if (data.length !== 1 || typeof value !== "object" || value === null) return undefined;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return undefined;
  try {
    const text = JSON.stringify(value, inJson) as string | undefined;
    return text?.startsWith("{") ? text : undefined;
  } catch {
    return undefined;
  }
}

function inJson(_key: string, value: unknown): unknown {
  if (value instanceof Error) return value.stack ?? value.message;
  if (value instanceof Map || value instanceof Set) return [...value];
  return typeof value === "bigint" ? String(value) : value;
}

/** Takes all that is written to the stream, whoever holds it already. It has no end: others write to it, too. */
function captureStream(name: OutputStream, take: (chunk: Uint8Array) => void): void {
  function write(chunk: unknown, encoding?: unknown, written?: unknown): boolean {
    const [done] = [encoding, written].filter((each) => typeof each === "function");
    take(bytesOf(chunk, encoding));
    if (done) process.nextTick(done);
    return true;
  }
  function end(this: NodeJS.WritableStream, ...words: unknown[]): unknown {
    const [chunk] = words;
    if (chunk !== undefined && chunk !== null && typeof chunk !== "function") write(...(words as [unknown]));
    else for (const done of words.filter((each) => typeof each === "function")) process.nextTick(done);
    // A pipeline waits for them; later they would be taken for the end of the next one.
    this.emit("finish");
    this.emit("close");
    return this;
  }
  function destroy(this: unknown): unknown {
    return this;
  }
  const own = { write, end, destroy };
  if (typeof Bun === "undefined") {
    // Under Deno what is imported by name is another object.
    for (const stream of [process[name], nodeProcess[name]]) Object.assign(stream, own);
    return;
  }
  // Bun makes them at the first look, and takes a third of a boot for it.
  let stream: object | undefined;
  Object.defineProperty(process, name, {
    configurable: true,
    enumerable: true,
    get: () => (stream ??= Object.assign(ownStream(name), own)),
  });
}

/** Throws `TypeError` for what a stream does not take. */
function bytesOf(chunk: unknown, encoding: unknown): Uint8Array {
  if (chunk instanceof Uint8Array) return chunk;
  return typeof encoding === "string"
    ? Buffer.from(chunk as string, encoding as BufferEncoding)
    : Buffer.from(chunk as string);
}

function ownStream(name: OutputStream): NodeJS.WritableStream {
  const fd = name === "stdout" ? 1 : 2;
  const { isatty, WriteStream } = process.getBuiltinModule("node:tty");
  if (isatty(fd)) return new WriteStream(fd);
  const { Writable } = process.getBuiltinModule("node:stream");
  return Object.assign(new Writable(), { fd });
}
