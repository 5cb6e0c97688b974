// Signals sent to a real process.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { promisify } from "node:util";

const driver = join(import.meta.dirname, "../../src/drivers/signals.ts");
const modules = join(import.meta.dirname, "../../node_modules");

/** Each runtime with the words that run a text. */
const EVALUATE = {
  bun: [process.execPath, "--eval"],
  deno: [join(modules, "deno/deno"), "eval"],
  node: [join(modules, ".bin/node"), "--input-type=module", "--eval"],
};

/** Keeps a program alive, though not beyond a test that has failed. */
const alive = "setTimeout(() => process.exit(9), 3000);";

function program(body: string) {
  const source = `import { onReloadSignal, onSignals, onStopSignal } from ${JSON.stringify(driver)}; ${body}`;
  const child = spawn(process.execPath, ["--eval", source], { stdio: ["ignore", "pipe", "inherit"] });
  return { child, exit: once(child, "exit") };
}

test("onStopSignal hears every stop signal by its name", async () => {
  const { child, exit } = program(`${alive} let heard = 0;
    onStopSignal((signal) => { console.log(signal); if (++heard === 3) process.exit(0); }); console.log("up");`);
  const sent: NodeJS.Signals[] = ["SIGTERM", "SIGINT", "SIGTERM"];
  let said = "";
  for await (const chunk of child.stdout) {
    said += String(chunk);
    const next = sent.shift();
    if (next !== undefined) child.kill(next);
  }
  assert.deepEqual(await exit, [0, null]);
  assert.equal(said, "up\nSIGTERM\nSIGINT\nSIGTERM\n");
});

test("onStopSignal keeps nothing alive, and once undone the signal ends the process again", async () => {
  const idle = program("onStopSignal(() => {});");
  assert.deepEqual(await idle.exit, [0, null]);
  const undone = program(`${alive} onStopSignal(() => {})(); console.log("up");`);
  await once(undone.child.stdout, "data");
  undone.child.kill("SIGTERM");
  assert.deepEqual(await undone.exit, [null, "SIGTERM"]);
});

test("onReloadSignal hears SIGHUP and nothing else", async () => {
  const { child, exit } = program(`${alive} process.on("SIGUSR2", () => process.exit(heard));
    let heard = 0; onReloadSignal(() => { heard++; console.log("reload"); }); console.log("up");`);
  const sent: NodeJS.Signals[] = ["SIGHUP", "SIGHUP", "SIGUSR2"];
  for await (const _ of child.stdout) {
    const next = sent.shift();
    if (next !== undefined) child.kill(next);
  }
  assert.deepEqual(await exit, [2, null]);
});

test("onSignals tells each by its name, one named twice once, until it is undone", async () => {
  const { child, exit } = program(`${alive} process.on("SIGQUIT", () => process.exit(0));
    const off = onSignals(["SIGUSR1", "SIGWINCH", "SIGUSR1"], (signal) => {
      console.log(signal);
      if (signal === "SIGWINCH") { off(); process.kill(process.pid, "SIGWINCH"); process.kill(process.pid, "SIGQUIT"); }
    });
    console.log("up");`);
  const sent: NodeJS.Signals[] = ["SIGUSR1", "SIGWINCH"];
  let said = "";
  for await (const chunk of child.stdout) {
    said += String(chunk);
    const next = sent.shift();
    if (next !== undefined) child.kill(next);
  }
  assert.deepEqual(await exit, [0, null]);
  assert.equal(said, "up\nSIGUSR1\nSIGWINCH\n");
});

test(
  "a broken pipe is an error, never a signal, and children have the default back",
  { skip: process.platform === "linux" ? false : "looks into /proc" },
  async () => {
    const body = `const look = (text) => text.match(/^Sig(Blk|Ign).*$/gm).map((line) => line.split("\\t")[1]);
      const child = spawnSync("cat", ["/proc/self/status"], { encoding: "utf8" }).stdout;
      console.log(JSON.stringify([look(readFileSync("/proc/self/status", "utf8")), look(child)]));`;
    const imports = `import { readFileSync } from "node:fs"; import { spawnSync } from "node:child_process";`;
    const isSet = (mask = "") => (BigInt(`0x${mask}`) & (1n << BigInt(constants.signals.SIGPIPE - 1))) !== 0n;
    for (const [command = "", ...words] of Object.values(EVALUATE)) {
      const { stdout } = await promisify(execFile)(command, [...words, `${imports} ${body}`]);
      const [[, ownIgnored], [blocked, ignored]] = JSON.parse(stdout) as [string[], string[]];
      assert.ok(isSet(ownIgnored), `${command} does not ignore SIGPIPE: ${ownIgnored}`);
      assert.ok(!isSet(ignored), `a child of ${command} ignores SIGPIPE: ${ignored}`);
      assert.equal(blocked, "0".repeat(16), `${command} blocks signals of its children`);
    }
  },
);
