// Writing to real descriptors: a file, a pipe somebody reads late, a pipe nobody reads.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, test } from "node:test";
import { openStdout } from "../../src/drivers/stdout.ts";

const folder = mkdtempSync(join(tmpdir(), "haraka-test-"));
after(() => rmSync(folder, { recursive: true }));
const driver = join(import.meta.dirname, "../../src/drivers/stdout.ts");

/** A program that writes through the driver, its output a pipe. */
function program(body: string) {
  const source = `import { openStdout } from ${JSON.stringify(driver)};
    import { writeSync } from "node:fs";
    const say = (text) => writeSync(2, text);
    const out = openStdout({ onLost: (writes) => say("lost " + writes) });
    ${body}`;
  const child = spawn(process.execPath, ["--eval", source], { stdio: "pipe" });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
  return {
    child,
    said: () => said,
    exit: new Promise<number | null>((resolve) => child.once("close", resolve)),
  };
}

test("flush leaves everything in the file, in order", async () => {
  const path = join(folder, "log");
  const fd = openSync(path, "w");
  const out = openStdout({ fd, onLost() {} });
  const lines = Array.from({ length: 5000 }, (_, index) => `line ${index} €\n`);
  for (const line of lines) assert.equal(out.write(line), true);
  await out.flush();
  closeSync(fd);
  assert.equal(readFileSync(path, "utf8"), lines.join(""));
  assert.equal(out.terminal, false);
});

test("flush before exit loses nothing on a pipe that is read late", async () => {
  const body = `for (let i = 0; i < 50000; i++) out.write(i + " ${"x".repeat(90)}\\n");
    say("written"); await out.flush(); process.exit(0);`;
  const { child, exit } = program(body);
  let read = "";
  child.stderr.once("data", () => child.stdout.on("data", (chunk: Buffer) => (read += chunk.toString())));
  assert.equal(await exit, 0);
  const lines = read.split("\n");
  assert.equal(lines.length, 50001);
  assert.ok(lines.slice(0, -1).every((line, index) => line.startsWith(`${index} `)));
});

test("write says when it is full, drained when there is room, and the event loop turns meanwhile", async () => {
  const body = `const chunk = "x".repeat(65536);
    while (out.write(chunk));
    for (let turn = 0; turn < 3; turn++) await new Promise((next) => setTimeout(next, 1));
    while (out.write(chunk));
    say("turned"); await out.drained(); say(" drained"); await out.flush(); process.exit(0);`;
  const { child, exit, said } = program(body);
  child.stderr.once("data", () => child.stdout.resume());
  assert.equal(await exit, 0);
  assert.equal(said(), "turned drained");
});

test("write without waiting is bounded, and what is lost is counted", async () => {
  const body = `const chunk = "x".repeat(1024 * 1024);
    for (let i = 0; i < 30; i++) out.write(chunk);
    say("written,"); await out.flush(); process.exit(0);`;
  const { child, exit, said } = program(body);
  let bytes = 0;
  child.stderr.once("data", () => child.stdout.on("data", (chunk: Buffer) => (bytes += chunk.length)));
  assert.equal(await exit, 0);
  const lost = Number(/lost (\d+)$/.exec(said())?.[1]);
  assert.ok(lost > 0, said());
  assert.equal(bytes, (30 - lost) * 1024 * 1024);
});

test("a reader that is gone is no error, and flush still resolves", async () => {
  const body = `await new Promise((gone) => process.stdin.once("end", gone).resume());
    for (let i = 0; i < 10; i++) { out.write("x".repeat(200000)); await out.flush(); }
    say("done " + out.write("y".repeat(2000000))); process.exit(0);`;
  const { child, exit, said } = program(body);
  child.stdout.destroy();
  child.stdin.end();
  assert.equal(await exit, 0);
  assert.equal(said(), "done true");
});
