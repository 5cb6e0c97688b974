// docs/plane.md as its reader runs it: its config, and every command on the page, in order, in one shell beside the runtime.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { binary, root } from "./support/binary.ts";
import { freePort } from "./support/ports.ts";
import { start } from "./support/runtime.ts";

const page = readFileSync(join(root, "docs/plane.md"), "utf8");
const blocks = (language: string): string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, "gms"))].map(([, block = ""]) => block);

const SHOP = `
import { Service } from "haraka-runtime";
export class Shop extends Service {
  routes(app) {
    app.post("/:step{reserve|release|charge}", (c) => c.json({ done: c.req.param("step") }));
  }
}`;

test("every command of docs/plane.md does what the page says", { timeout: 60_000 }, async () => {
  const env = { PORT: String(await freePort()), SHOP_TOKEN: "of-the-shop", BOSS_TOKEN: "of-the-boss" };
  const files = { "runtime.yaml": blocks("yaml")[0] ?? "", "shop.ts": SHOP };
  await using runtime = await start({ files, env }).started();
  const bin = join(runtime.folder, "bin");
  mkdirSync(bin);
  symlinkSync(binary(), join(bin, "haraka"));
  const script = blocks("sh").map((block) => `echo; echo === block\n${block}`);
  const shell = spawn("bash", ["-euo", "pipefail", "-c", script.join("")], {
    cwd: runtime.folder,
    env: { ...env, PATH: `${bin}:${process.env["PATH"]}` },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const texts = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    shell[name].setEncoding("utf8").on("data", (text: string) => (texts[name] += text));
  const [code] = await once(shell, "close");
  assert.equal(code, 0, `${texts.stdout}\n${texts.stderr}`);
  const [, , made, read, state, running, done, shown, log] = texts.stdout.split("=== block\n");
  assert.match(made ?? "", /"context":\{"cart":2\}.*"version":2/);
  assert.match(read ?? "", /"user":"ada"/);
  assert.match(state ?? "", /"version":1\}.*"version":2,.*"items":\[/s);
  assert.match(running ?? "", /"state":"running"/);
  assert.match(done ?? "", /"state":"completed".*"name":"charge","state":"completed"/);
  assert.match(shown ?? "", /^none$.*^charge +completed +1$/ms);
  assert.match(log ?? "", /"step_started".*"step_completed"/);
  assert.equal((await runtime.stop()).code, 0);
});
