// A shell command on a real pseudo-terminal of its own: tests type on it, read what it shows, and close it. It knows nothing of
// what runs there.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

/** In a folder with `config` as its `runtime.yaml`. */
export class Terminal implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "haraka-e2e-"));
  readonly #process: Bun.Subprocess;
  readonly #waiting = new Set<() => void>();
  #text = "";

  constructor(command: string, config: string) {
    writeFileSync(join(this.#folder, "runtime.yaml"), config);
    const decoder = new TextDecoder();
    this.#process = Bun.spawn(["/bin/sh", "-c", command], {
      cwd: this.#folder,
      env: { PATH: process.env["PATH"], PORT: "0", NO_COLOR: "1" },
      terminal: {
        cols: 120,
        rows: 40,
        data: (_terminal, bytes) => {
          this.#text += decoder.decode(bytes, { stream: true });
          for (const look of this.#waiting) look();
        },
      },
    });
  }

  get text(): string {
    return this.#text;
  }

  get ended(): Promise<number> {
    return this.#process.exited;
  }

  type(keys: string): void {
    this.#process.terminal?.write(keys);
  }

  /** As when its window is closed. */
  close(): void {
    this.#process.terminal?.close();
  }

  /** Resolves once the pattern has been seen so many times. */
  async seen(pattern: RegExp, times = 1): Promise<void> {
    const all = new RegExp(pattern, "g");
    await new Promise<void>((resolve, reject) => {
      const look = (): void => {
        if ((this.#text.match(all) ?? []).length < times) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      void this.ended.then(() => reject(new Error(`ended without ${pattern}:\n${this.#text}`)));
      look();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.ended;
    rmSync(this.#folder, { recursive: true });
  }
}
