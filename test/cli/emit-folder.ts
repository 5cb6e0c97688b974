// A folder in which `haraka emit` is called, and a config for it.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { main } from "../../src/cli/cli.ts";

export function folder(files: Record<string, string>) {
  const path = mkdtempSync(join(tmpdir(), "haraka-emit-"));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), text);
  }
  return {
    path,
    read: (name: string) => readFileSync(join(path, name), "utf8"),
    async emit(...words: string[]) {
      const outcome = { stdout: "", stderr: "" };
      const code = await main(["emit", ...words], {
        stdout: (text) => void (outcome.stdout += text),
        stderr: (text) => void (outcome.stderr += text),
        env: {},
        cwd: path,
        main: import.meta.filename,
      });
      return { code, ...outcome };
    },
    [Symbol.dispose]: () => rmSync(path, { recursive: true }),
  };
}

export const SHOP = `
runtime: { name: My Shop, shutdown: { budget: 30s }, startup: { timeout: 90s } }
http: { port: 8080 }
services:
  api:
    command: x
    readiness: { tcp: "127.0.0.1:7001" }
    routes:
      - { rule: "Host(\`shop.example\`) && PathPrefix(\`/api\`)", entryPoints: [websecure], tls: { certResolver: le } }
      - { rule: "PathRegexp(\`^/x$\`)", priority: 7, middlewares: [auth@file, gzip@file] }
  web:
    entrypoint: ./web.ts
    dependencies: [api]
    routes: [{ rule: "PathPrefix(\`/\`)" }]
`;
