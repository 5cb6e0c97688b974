// A real Traefik, where the machine has one: on PATH as `traefik`. Nobody has it from Debian, so machines without it have the model in
// `test/fakes/traefik.ts`. It says through its own API what it knows.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { freePort } from "./ports.ts";

const LOOK_MS = 20;

/** Where it is; `undefined`: nowhere. */
export function traefikProgram(): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return folders.map((folder) => join(folder, "traefik")).find((path) => existsSync(path));
}

/** What its API says of a balancer. */
interface Known {
  routers?: Record<string, { rule: string; status: string }>;
  services?: Record<string, { serverStatus?: Record<string, string> }>;
}

export class RealTraefik implements AsyncDisposable {
  readonly url: string;
  readonly #apiUrl: string;
  readonly #process: ChildProcess;
  readonly #folder: string;

  private constructor(options: { ports: [number, number]; process: ChildProcess; folder: string }) {
    this.url = `http://127.0.0.1:${options.ports[0]}/`;
    this.#apiUrl = `http://127.0.0.1:${options.ports[1]}/api/rawdata`;
    this.#process = options.process;
    this.#folder = options.folder;
  }

  /** `providers`: as in its static configuration. Resolves once its API answers. */
  static async start(program: string, providers: object): Promise<RealTraefik> {
    const ports: [number, number] = [await freePort(), await freePort()];
    const folder = mkdtempSync(join(tmpdir(), "haraka-traefik-"));
    const file = join(folder, "traefik.yaml");
    const [web, traefik] = ports.map((port) => ({ address: `127.0.0.1:${port}` }));
    writeFileSync(
      file,
      JSON.stringify({ entryPoints: { web, traefik }, api: { insecure: true, dashboard: false }, providers }),
    );
    const child = spawn(program, [`--configFile=${file}`], { stdio: "ignore" });
    const real = new RealTraefik({ ports, process: child, folder });
    await real.until(() => true);
    return real;
  }

  /** Resolves once this holds of what it knows. */
  async until(holds: (known: Known) => boolean): Promise<Known> {
    for (;;) {
      if (this.#process.exitCode !== null) throw new Error(`traefik ended with ${this.#process.exitCode}`);
      const known = await this.#known();
      if (known && holds(known)) return known;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#process, "exit");
    if (this.#process.exitCode === null && this.#process.kill("SIGKILL")) await ended;
    rmSync(this.#folder, { recursive: true });
  }

  async #known(): Promise<Known | undefined> {
    try {
      return (await (await fetch(this.#apiUrl)).json()) as Known;
    } catch {
      return undefined;
    }
  }
}

/** The servers that it would send a request to, of all balancers. */
export function up({ services = {} }: Known): string[] {
  return Object.values(services).flatMap(({ serverStatus = {} }) =>
    Object.entries(serverStatus).flatMap(([url, status]) =>
      status === "UP" && URL.canParse(url) ? [url] : [],
    ),
  );
}
