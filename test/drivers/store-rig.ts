// Folders with databases, what is in them byte by byte, and processes that hold or write one, for the tests of the store's drivers.
import { type ChildProcess, spawn } from "node:child_process";
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { openStoreAt, type StoreAtOptions } from "../../src/compose/store-at.ts";
import { testClock } from "../../src/compose/testing.ts";
import { StoreError } from "../../src/errors.ts";
import { done, record } from "../contracts/store-tools.ts";
import { root } from "../e2e/support/binary.ts";

export interface Folder extends Disposable {
  path: string;
  /** Name and hash of every file of that database but its lock and its holder's name. */
  hashes(): Record<string, string>;
}

export function storeFolder(): Folder {
  const path = mkdtempSync(join(tmpdir(), "haraka-store-"));
  return {
    path,
    hashes() {
      const names = readdirSync(path).filter((name) => !/\.(lock|holder)$/.test(name));
      const files = names.filter((name) => statSync(join(path, name)).isFile());
      return Object.fromEntries(files.map((name) => [name, hashOf(join(path, name))]));
    },
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}

const hashOf = (file: string): string => createHash("sha256").update(readFileSync(file)).digest("hex");

export function open({ path }: Folder, options: Partial<StoreAtOptions> & { name?: string } = {}) {
  const { name = "haraka.db", ...others } = options;
  return openStoreAt(`sqlite:${name}`, { clock: testClock(), cwd: path, ...others });
}

/** A database with a thousand records, closed. */
export async function filled(): Promise<Folder & { file: string }> {
  const folder = storeFolder();
  const store = await open(folder);
  for (let index = 0; index < 10; index++) {
    await done(
      store.commit("t", {
        append: Array.from({ length: 100 }, (_, part) => record(`execution_${part}`, "x".repeat(100))),
        put: Array.from({ length: 50 }, (_, part) => ({ key: `k/${index}/${part}`, value: "y".repeat(100) })),
      }),
    );
  }
  await store.close();
  return { ...folder, file: join(folder.path, "haraka.db") };
}

export async function refused(opening: Promise<unknown>, message: RegExp): Promise<void> {
  await assert.rejects(opening, (error) => {
    assert.ok(error instanceof StoreError, String(error));
    assert.match(error.message, message);
    return true;
  });
}

export interface WriterOptions {
  /** 0: it only holds the store. */
  writers?: number;
  env?: Readonly<Record<string, string>>;
  /** Words that run it by way of another program. */
  prefix?: readonly string[];
  /** The words that run a file of the repository. Default: this runtime. */
  runtime?: readonly string[];
}

export class Writer implements AsyncDisposable {
  readonly lines: string[] = [];
  readonly child: ChildProcess;
  /** Resolves when it has ended and all it said has been read. */
  readonly ended: Promise<void>;
  readonly #waiting = new Set<() => void>();
  #over = false;

  constructor(
    url: string,
    { writers = 0, env = {}, prefix = [], runtime = [process.execPath] }: WriterOptions = {},
  ) {
    const program = join(root, "test/fixtures/store-writer.ts");
    const [command, ...words] = [...prefix, ...runtime, program, url, String(writers)];
    this.child = spawn(command, words, {
      stdio: ["pipe", "pipe", "inherit"],
      env: { ...process.env, ...env },
    });
    const lines = createInterface({ input: this.child.stdout ?? process.stdin });
    lines.on("line", (line) => {
      this.lines.push(line);
      for (const look of this.#waiting) look();
    });
    this.ended = Promise.all([once(this.child, "exit"), once(lines, "close")]).then(() => {
      this.#over = true;
      for (const look of this.#waiting) look();
    });
  }

  /** Resolves once `said` holds, or when it has ended. */
  until(said: (lines: readonly string[]) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!this.#over && !said(this.lines)) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }

  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.ended;
  }

  get acknowledged(): number[] {
    return this.lines.filter((line) => line.startsWith("ack ")).map((line) => Number(line.slice(4)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}
