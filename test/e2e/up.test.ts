// The README's first command as its reader runs it: npx fetches Bun, Bun runs the default config from source, and a signal to npx
// goes all the way down and the exit code all the way up.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import test from "node:test";
import { root } from "./support/binary.ts";

test(
  "npx bun run up starts the default config and hands on SIGTERM and the exit code",
  { timeout: 120_000 },
  async () => {
    const npx = spawn("npx", ["-y", `bun@${Bun.version}`, "run", "up"], {
      cwd: root,
      env: { ...process.env, PORT: "0" },
      stdio: ["ignore", "pipe", "ignore"],
    });
    const exited = once(npx, "exit");
    const messages: string[] = [];
    for await (const line of createInterface({ input: npx.stdout })) {
      if (!line.startsWith("{")) continue;
      const { service, message } = JSON.parse(line) as { service: string; message: unknown };
      messages.push(`${service}: ${JSON.stringify(message)}`);
      if (service === "worker" && message === "ready") npx.kill("SIGTERM");
    }
    assert.deepEqual(await exited, [0, null], messages.join("\n"));
    assert.ok(
      messages.some((message) => message === 'hello: "stopped"'),
      messages.join("\n"),
    );
  },
);
