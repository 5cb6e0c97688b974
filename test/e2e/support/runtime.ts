// Runs the compiled binary, or another program, as its users do: a config in a folder of its own, records on stdout, a port the
// system chose, signals, an exit code. Waits for what happens, never for time; what a failed test leaves behind is killed.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { descendantsOf, killIfSame } from "../../../src/drivers/linux/descendants.ts";
import { binary } from "./binary.ts";

/** Nothing here takes that long; a runtime that does is killed, and the test says what it was waiting for. */
const PATIENCE_MS = 20_000;

/** One line of the runtime's JSON output. */
export interface LogRecord {
  time: string;
  level: string;
  service: string;
  stream: "stdout" | "stderr" | "runtime";
  message: unknown;
  pid?: number;
}

export interface RunOptions {
  /** What runs. Default: the compiled binary. */
  program?: readonly string[];
  /** Words after `haraka`. Default: `run`. */
  args?: readonly string[];
  /** Files to write into the working directory, by relative path. */
  files?: Readonly<Record<string, string | Uint8Array>>;
  /** A folder that exists, instead of one made for the run. */
  cwd?: string;
  /** Added to PATH alone: nothing of the tests' own environment is in reach. */
  env?: Readonly<Record<string, string>>;
  /** What the process reads. Default: nothing. `"open"`: what `type` is given later. */
  stdin?: string;
  /** Where its output goes, as descriptors. Default: here. */
  stdout?: number;
  stderr?: number;
  /** Run it by way of another program: these words come before its own. */
  prefix?: readonly string[];
  /** How long it may live. Default: 20 s. */
  patienceMs?: number;
}

export interface Outcome {
  code: number | null;
  signal: string | null;
  stdout: string;
  stderr: string;
}

/** A folder with `files` in it. */
function folderWith(files: NonNullable<RunOptions["files"]>): string {
  const folder = mkdtempSync(join(tmpdir(), "haraka-e2e-"));
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }
  return folder;
}

/** Runs the binary to its end. */
export async function haraka(options: RunOptions = {}): Promise<Outcome> {
  await using runtime = start(options);
  return await runtime.ended;
}

/** Starts the binary; the caller decides when it ends. */
export function start(options: RunOptions = {}): Runtime {
  return new Runtime(options);
}

/** Those that a test which has run out of time may not let go of any more. */
const living = new Set<() => void>();
process.once("exit", () => {
  for (const kill of living) kill();
});

export class Runtime implements AsyncDisposable {
  readonly folder: string;
  /** Resolves when the process has ended and all it wrote has been read. */
  readonly ended: Promise<Outcome>;
  readonly #ownFolder: boolean;
  readonly #child: ChildProcess;
  readonly #reader: Interface | null;
  readonly #lines: string[] = [];
  readonly #waiting = new Set<() => void>();
  #stderr = "";
  #over = false;
  readonly #orphans: ReturnType<typeof descendantsOf> = [];

  constructor({
    program = [binary()],
    args = ["run"],
    files = {},
    cwd,
    env = {},
    stdin = "",
    prefix = [],
    stdout = -1,
    stderr = -1,
    patienceMs = PATIENCE_MS,
  }: RunOptions) {
    this.folder = cwd ?? folderWith(files);
    this.#ownFolder = cwd === undefined;
    const [command = "", ...words] = [...prefix, ...program, ...args];
    const child = spawn(command, words, {
      cwd: this.folder,
      env: { PATH: process.env["PATH"], PORT: "0", ...env },
      stdio: ["pipe", stdout < 0 ? "pipe" : stdout, stderr < 0 ? "pipe" : stderr],
    });
    this.#child = child;
    living.add(this.#killTree);
    if (stdin !== "open") child.stdin?.end(stdin);
    child.stderr
      ?.setEncoding("utf8")
      .on("data", (text: string) => this.#change(() => (this.#stderr += text)));
    const reader = child.stdout && createInterface({ input: child.stdout });
    reader?.on("line", (line) => this.#change(() => this.#lines.push(line)));
    this.#reader = reader;
    this.ended = this.#end(reader ? once(reader, "close") : Promise.resolve(), patienceMs);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** Every line of stdout so far. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  /** The first line of stdout that matches; waits for it. */
  async line(pattern: RegExp): Promise<string> {
    return await this.#first(`${pattern}`, () => this.#lines.find((line) => pattern.test(line)));
  }

  /** Every JSON record so far. */
  get records(): LogRecord[] {
    return this.#lines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line) as LogRecord);
  }

  /** What one service wrote, or the runtime said about it, line by line. */
  messages(service: string, stream?: LogRecord["stream"]): unknown[] {
    const own = this.records.filter((each) => each.service === service);
    return own.filter((each) => stream === undefined || each.stream === stream).map(({ message }) => message);
  }

  /** The services that the runtime said this about, in order. */
  whoBecame(message: string): string[] {
    return this.records
      .filter((each) => each.stream === "runtime" && each.message === message)
      .map(({ service }) => service);
  }

  /** The first record about `service` whose message is, or matches, `message`; waits for it. */
  async record(service: string, message: string | RegExp): Promise<LogRecord> {
    const matches = (each: LogRecord): boolean =>
      each.service === service &&
      (typeof message === "string" ? each.message === message : message.test(String(each.message)));
    return await this.#first(`"${message}" of ${service}`, () => this.records.find(matches));
  }

  /** Resolves when it has written this line. */
  async printed(line: string): Promise<void> {
    await this.#first(`"${line}"`, () => this.#lines.includes(line) || undefined);
  }

  /** Resolves when the runtime says that it has started. */
  async started(): Promise<this> {
    await this.#first("the start", () => this.records.find(isStarted));
    return this;
  }

  /** `http://127.0.0.1:PORT`, once the port is open. */
  async url(): Promise<string> {
    const said = await this.#first("the port", () =>
      /listening on http:\/\/[^"]*:(\d+)/.exec(this.#lines.join("\n")),
    );
    return `http://127.0.0.1:${said[1]}`;
  }

  /** Asks the runtime's port. The connection is not kept. */
  async get(path: string, headers: Record<string, string> = {}): Promise<Response> {
    return await fetch(`${await this.url()}${path}`, { headers, keepalive: false });
  }

  /** Asks until the answer has this status, again whenever the runtime has said something new. */
  async until(path: string, status: number): Promise<Response> {
    for (let seen = this.#lines.length; ; seen = this.#lines.length) {
      const response = await this.get(path);
      if (response.status === status) return response;
      const text = await response.text();
      await this.#first(`${status} at ${path}, got ${text}`, () => this.#lines.length > seen || undefined);
    }
  }

  /** Writes a file of its folder. */
  write(name: string, content: string): this {
    writeFileSync(join(this.folder, name), content);
    return this;
  }

  /** Gives the process a line to read. */
  type(line: string): this {
    this.#child.stdin?.write(`${line}\n`);
    return this;
  }

  /** The text on stderr once it matches. */
  async said(pattern: RegExp): Promise<string> {
    return await this.#first(`${pattern} on stderr`, () =>
      pattern.test(this.#stderr) ? this.#stderr : undefined,
    );
  }

  /** Nobody reads its output any more. */
  closeStdout(): void {
    this.#reader?.close();
    this.#child.stdout?.destroy();
  }

  /** Sends the signal and, when it ends the runtime, `ended` says how. */
  signal(name: NodeJS.Signals): this {
    // What it starts outlives it, and is nobody's then.
    if (name === "SIGKILL" && this.pid > 0) this.#orphans.push(...descendantsOf(this.pid));
    this.#child.kill(name);
    return this;
  }

  /** SIGTERM, and the end. */
  async stop(): Promise<Outcome> {
    return await this.signal("SIGTERM").ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#over) this.#killTree();
    await this.ended;
    for (const each of this.#orphans) killIfSame(each);
    if (this.#ownFolder) rmSync(this.folder, { recursive: true, force: true });
  }

  async #end(read: Promise<unknown>, patienceMs: number): Promise<Outcome> {
    const watchdog = setTimeout(() => this.#killTree(), patienceMs);
    const [code, signal] = (await once(this.#child, "close")) as [number | null, string | null];
    await read;
    clearTimeout(watchdog);
    living.delete(this.#killTree);
    this.#change(() => (this.#over = true));
    return { code, signal, stdout: this.#lines.map((line) => `${line}\n`).join(""), stderr: this.#stderr };
  }

  #change(change: () => unknown): void {
    change();
    for (const look of this.#waiting) look();
  }

  /** What `find` gives, as soon as it gives something. */
  async #first<T>(what: string, find: () => T | null | undefined): Promise<T> {
    return await new Promise((resolve, reject) => {
      const look = (): void => {
        const found = find();
        if (found === undefined || found === null) {
          if (!this.#over) return;
          reject(new Error(`ended without ${what}\n${this.#lines.join("\n")}\n${this.#stderr}`));
        } else {
          resolve(found);
        }
        this.#waiting.delete(look);
      };
      this.#waiting.add(look);
      look();
    });
  }

  /** The runtime and everything below it. It is halted first: it may be about to start another. */
  readonly #killTree = (): void => {
    // Below none is everybody.
    if (this.pid === 0) return;
    this.signal("SIGSTOP");
    while (!isHalted(this.pid));
    for (const each of descendantsOf(this.pid)) killIfSame(each);
    this.signal("SIGKILL");
  };
}

/** No thread of it runs, or will before somebody continues it; one that starts a process is halted once that is done. */
function isHalted(pid: number): boolean {
  return globSync(`/proc/${pid}/task/*/status`).every((file) => {
    try {
      return /^State:\s+[TZX]/m.test(readFileSync(file, "utf8"));
    } catch {
      return true;
    }
  });
}

function isStarted({ stream, message, pid }: LogRecord): boolean {
  return stream === "runtime" && message === "started" && pid === undefined;
}

/** Whether a process of this id runs; one that is dead and not yet reaped does not. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const status = `/proc/${pid}/status`;
  return !existsSync(status) || !/^State:\s+Z/m.test(readFileSync(status, "utf8"));
}
