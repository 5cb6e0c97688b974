// Real Redis for tests: Debian's redis-server on a free port of its own, with nothing of a machine's settings, in a folder that goes
// with it. It is killed, stopped and started again as a test needs.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createClient } from "redis";
import { installDebian, systemPath } from "../e2e/support/debian.ts";
import { freePort } from "../e2e/support/ports.ts";

const env = { ...process.env, PATH: systemPath };

/** Without it the tests are red, with apt's own words. */
function ensureRedis(): void {
  if (spawnSync("redis-server", ["--version"], { env }).error) installDebian(["redis-server"]);
}

/** What a store may be trusted to. */
const DURABLE = ["--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"];

/** What is kept of what it says. */
const SAID_MAX = 100_000;

export interface RedisServerOptions {
  /** As on its command line; later ones win. */
  settings?: readonly string[];
  /** Default: one where temporary files are. Removed in the end. */
  folder?: string;
}

export class RedisServer implements AsyncDisposable {
  readonly port: number;
  readonly folder: string;
  readonly #settings: readonly string[];
  #child: ChildProcess | undefined;
  /** Ends it, and removes its folder, when this process is gone without having done so. */
  #heir: ChildProcess | undefined;

  private constructor(port: number, { settings = [], folder }: RedisServerOptions) {
    this.port = port;
    this.folder = folder ?? mkdtempSync(join(tmpdir(), "haraka-redis-"));
    mkdirSync(this.folder, { recursive: true });
    this.#settings = settings;
  }

  static async start(options: RedisServerOptions = {}): Promise<RedisServer> {
    ensureRedis();
    const server = new RedisServer(await freePort(), options);
    await server.start();
    return server;
  }

  /** `text` is what its file says. */
  static async sentinel(port: number, text: string): Promise<RedisServer> {
    const server = new RedisServer(port, {});
    const file = join(server.folder, "sentinel.conf");
    writeFileSync(file, `port ${port}\nbind 127.0.0.1\n${text}\n`);
    await server.#launch([file, "--sentinel"]);
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** On the same port, from what is in its folder. Resolves once it answers. */
  async start(): Promise<void> {
    const words = ["--port", String(this.port), "--bind", "127.0.0.1", "--dir", this.folder, "--save", ""];
    await this.#launch([...words, ...DURABLE, ...this.#settings]);
  }

  async #launch(words: readonly string[]): Promise<void> {
    const child = spawn("redis-server", words, { env, stdio: ["ignore", "pipe", "inherit"] });
    this.#child = child;
    let said = "";
    const up = Promise.withResolvers<void>();
    // It is read to the end: one that cannot say what it has to say stands still.
    child.stdout.on("data", (chunk) => {
      if (said.length < SAID_MAX) said += String(chunk);
      if (/Ready to accept connections|Sentinel ID is/.test(said)) up.resolve();
    });
    child.once("exit", (code) => up.reject(new Error(`redis-server ended with ${code}:\n${said}`)));
    await up.promise;
    writeFileSync(join(this.folder, PID_FILE), String(child.pid));
    this.#heir ??= heirOf(this.folder);
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill(signal);
    await ended;
  }

  signal(name: NodeJS.Signals): void {
    process.kill(this.pid, name);
  }

  /** One command, by a connection of its own. */
  async command(...words: string[]): Promise<unknown> {
    const client = createClient({ url: this.url });
    client.on("error", () => {});
    await client.connect();
    try {
      return await client.sendCommand(words);
    } finally {
      client.destroy();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop("SIGKILL");
    if (this.#heir) dismiss(this.#heir);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const PID_FILE = "haraka-test.pid";

/** Held on to: the input of one that is collected is closed. */
const heirs = new Set<ChildProcess>();

/** Waits until nobody holds the other end of its input. */
function heirOf(folder: string): ChildProcess {
  const script = `cat; kill -9 "$(cat "$0/${PID_FILE}")"; rm -rf "$0"`;
  const heir = spawn("sh", ["-c", script, folder], { stdio: ["pipe", "ignore", "ignore"] });
  heir.unref();
  heirs.add(heir);
  return heir;
}

function dismiss(heir: ChildProcess): void {
  heir.kill("SIGKILL");
  heirs.delete(heir);
}

let shared: Promise<RedisServer> | undefined;

/** One for all tests of this process, each in a namespace of its own. It ends with the process. */
export function sharedRedis(): Promise<RedisServer> {
  return (shared ??= RedisServer.start());
}
