// docs/orders.md as its reader runs it: every command on the page, in order, in one shell, with the binary on the PATH. What the page
// says about their output is what is looked for here.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, test } from "node:test";
import { binary, root } from "./support/binary.ts";
import { installDebian } from "./support/debian.ts";
import { freePort } from "./support/ports.ts";

const MARK = "=== block";
const blocks = [...readFileSync(join(root, "docs/orders.md"), "utf8").matchAll(/^```sh\n(.*?)^```$/gms)].map(
  ([, block = ""]) => block,
);

let folder: string;
before(() => {
  const missing = ["python3", "curl"].filter((tool) => spawnSync(tool, ["--version"]).error !== undefined);
  if (missing.length > 0) installDebian(missing);
  folder = mkdtempSync(join(tmpdir(), "haraka-orders-"));
  mkdirSync(join(folder, "bin"));
  symlinkSync(binary(), join(folder, "bin/haraka"));
  cpSync(join(root, "config"), join(folder, "config"), { recursive: true });
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** What each block has printed; the shell, and with it the runtime, is gone by then. */
async function walk(): Promise<string[]> {
  const script = blocks.map((block) => `echo; echo '${MARK}'\n${block}`).join("");
  // Whatever fails on the way, no runtime and none of its services is left.
  const last =
    "trap 'test -z \"$RUNTIME\" || kill -9 $RUNTIME $(cat /proc/$RUNTIME/task/*/children) 2> /dev/null || :' EXIT";
  const shell = spawn("bash", ["-euo", "pipefail", "-c", `RUNTIME=\n${last}\n${script}`], {
    cwd: folder,
    env: {
      PATH: `${join(folder, "bin")}:${process.env["PATH"]}`,
      HARAKA_DATA: join(folder, "data"),
      PORT: String(await freePort()),
      BANK_PORT: String(await freePort()),
      COURIER_PORT: String(await freePort()),
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const texts = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    shell[name].setEncoding("utf8").on("data", (text: string) => (texts[name] += text));
  const code = await new Promise((resolve) => shell.once("close", resolve));
  assert.equal(code, 0, `${texts.stdout}\n${texts.stderr}`);
  return texts.stdout.split(`${MARK}\n`).slice(1);
}

test("every command of docs/orders.md does what the page says", { timeout: 60_000 }, async () => {
  const [, placed, again, log, undone, , , recovered] = await walk();
  assert.match(placed ?? "", /"state":"completed".*"name":"charge","state":"completed","attempts":1/);
  assert.match(again ?? "", /^the same order$/m);
  assert.match(log ?? "", /"step_started".*"step_completed".*"saga_completed"/);
  assert.match(log ?? "", /^charge +completed +1$/m);
  assert.match(undone ?? "", /"state":"compensated"/);
  assert.match(undone ?? "", /"value":"released".*"value":"recalled"/s);
  assert.match(recovered ?? "", /"type":"order\.place".*?"state":"completed"/);
  // The first order and the third; the second was declined.
  assert.equal(recovered?.match(/"namespace":"charges"/g)?.length, 2);
});
