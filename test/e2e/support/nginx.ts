// Debian's nginx before two servers. It asks nobody whether he is well and remembers nothing: it finds out by its requests, each time
// anew, and goes to the other server where one refuses a connection or answers 503.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installDebian, systemPath } from "./debian.ts";
import { freePort } from "./ports.ts";

function configOf({ port, servers }: { port: number; servers: readonly number[] }): string {
  return `
daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr crit;
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path temp/body;
  proxy_temp_path temp/proxy;
  fastcgi_temp_path temp/fastcgi;
  uwsgi_temp_path temp/uwsgi;
  scgi_temp_path temp/scgi;
  upstream pair {
${servers.map((server) => `    server 127.0.0.1:${server} max_fails=0;`).join("\n")}
    keepalive 16;
  }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://pair;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_next_upstream error timeout http_503;
    }
  }
}
`;
}

export class Nginx implements AsyncDisposable {
  readonly url: string;
  readonly #process: ChildProcess;
  readonly #folder: string;

  private constructor(options: { port: number; process: ChildProcess; folder: string }) {
    this.url = `http://127.0.0.1:${options.port}/`;
    this.#process = options.process;
    this.#folder = options.folder;
  }

  /** `servers`: the ports of its two servers. Resolves once it answers. */
  static async start(servers: readonly number[]): Promise<Nginx> {
    installDebian(["nginx-light"]);
    const port = await freePort();
    const folder = mkdtempSync(join(tmpdir(), "haraka-nginx-"));
    mkdirSync(join(folder, "temp"));
    writeFileSync(join(folder, "nginx.conf"), configOf({ port, servers }));
    const child = spawn("nginx", ["-p", folder, "-c", "nginx.conf", "-e", "stderr"], {
      stdio: ["ignore", "ignore", "inherit"],
      env: { PATH: systemPath },
    });
    const nginx = new Nginx({ port, process: child, folder });
    while (!(await nginx.#answers())) {
      if (child.exitCode !== null) throw new Error(`nginx ended with ${child.exitCode}`);
    }
    return nginx;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#process, "exit");
    if (this.#process.exitCode === null && this.#process.kill()) await ended;
    rmSync(this.#folder, { recursive: true });
  }

  async #answers(): Promise<boolean> {
    try {
      await (await fetch(this.url)).body?.cancel();
      return true;
    } catch {
      return new Promise((resolve) => setTimeout(resolve, 20, false));
    }
  }
}
