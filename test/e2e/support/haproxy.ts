// Debian's HAProxy before two servers, with the checks that show every lost request: HTTP/1.0 without Host twice a second, three
// failures are down and two successes are up as it is by default, nothing is tried again. Says what it thinks of the servers; never asks them itself.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./ports.ts";

/** How often to look at what it says. */
const LOOK_MS = 20;

function configOf(options: { port: number; statsPort: number; servers: readonly number[] }): string {
  const servers = options.servers.map((port) => `  server s${port} 127.0.0.1:${port} check`);
  return `
defaults
  mode http
  timeout connect 1s
  timeout client 30s
  timeout server 30s
  retries 0
frontend public
  bind 127.0.0.1:${options.port}
  default_backend pair
frontend looks
  bind 127.0.0.1:${options.statsPort}
  stats enable
  stats uri /
backend pair
  option httpchk GET /health/ready
  default-server inter 500ms
${servers.join("\n")}
`;
}

export class Haproxy implements AsyncDisposable {
  readonly url: string;
  readonly #statsUrl: string;
  readonly #process: ChildProcess;
  readonly #folder: string;

  private constructor(options: { port: number; statsPort: number; process: ChildProcess; folder: string }) {
    this.url = `http://127.0.0.1:${options.port}/`;
    this.#statsUrl = `http://127.0.0.1:${options.statsPort}/;csv`;
    this.#process = options.process;
    this.#folder = options.folder;
  }

  /** `program`: where haproxy is. `servers`: the ports of its two servers. */
  static async start(program: string, servers: readonly number[]): Promise<Haproxy> {
    const [port, statsPort] = [await freePort(), await freePort()];
    const folder = mkdtempSync(join(tmpdir(), "haraka-haproxy-"));
    const file = join(folder, "haproxy.cfg");
    writeFileSync(file, configOf({ port, statsPort, servers }));
    const child = spawn(program, ["-q", "-db", "-f", file], { stdio: ["ignore", "ignore", "inherit"] });
    const haproxy = new Haproxy({ port, statsPort, process: child, folder });
    await haproxy.#accepts(statsPort);
    return haproxy;
  }

  /** Resolves once the server on this port listens, and has answered its checks for so long. */
  async up(port: number, { forS = 0 } = {}): Promise<void> {
    await this.#accepts(port);
    for (;;) {
      const { status, check_status, lastchg } = (await this.#look())[`pair,s${port}`] ?? {};
      // Before its first check it takes a server for up.
      if (status === "UP" && check_status === "L7OK" && Number(lastchg) >= forS) return;
      await pause();
    }
  }

  /** Requests that it has had so far. */
  async requests(): Promise<number> {
    return Number((await this.#look())["public,FRONTEND"]?.["req_tot"]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#process, "exit");
    if (this.#process.exitCode === null && this.#process.kill()) await ended;
    rmSync(this.#folder, { recursive: true });
  }

  /** Its table, each row by proxy and server. */
  async #look(): Promise<Record<string, Record<string, string>>> {
    const [head = "", ...lines] = (await (await fetch(this.#statsUrl)).text()).trim().split("\n");
    const names = head.replace("# ", "").split(",");
    const rows = lines.map((line) => {
      const cells = line.split(",");
      return [
        `${cells[0]},${cells[1]}`,
        Object.fromEntries(names.map((name, index) => [name, cells[index] ?? ""])),
      ];
    });
    return Object.fromEntries(rows) as Record<string, Record<string, string>>;
  }

  async #accepts(port: number): Promise<void> {
    while (!(await isOpen(port))) {
      if (this.#process.exitCode !== null) throw new Error(`haproxy ended with ${this.#process.exitCode}`);
      await pause();
    }
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, LOOK_MS));
}

async function isOpen(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
