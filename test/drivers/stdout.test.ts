// Writing to real descriptors: a file, a pipe somebody reads late, a pipe nobody reads, one that would block.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, test } from "node:test";
import { openStdout } from "../../src/drivers/stdout.ts";

const folder = mkdtempSync(join(tmpdir(), "haraka-test-"));
after(() => rmSync(folder, { recursive: true }));
const driver = join(import.meta.dirname, "../../src/drivers/stdout.ts");

/** A program that writes through the driver; its output is a pipe. `shell` runs it as `"$@"`. */
function program(body: string, { shell }: { shell?: string } = {}) {
  const source = `import { openStdout } from ${JSON.stringify(driver)};
    import { writeSync } from "node:fs";
    const say = (text) => writeSync(2, text);
    const out = openStdout({ onGone: (reason) => say("gone " + reason + " ") });
    ${body}`;
  const words = [process.execPath, "--eval", source];
  const [command = "", ...args] = shell === undefined ? words : ["sh", "-c", shell, "sh", ...words];
  const child = spawn(command, args, { stdio: "pipe", cwd: folder });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
  return {
    child,
    said: () => said,
    exit: new Promise<number | null>((resolve) => child.once("close", resolve)),
  };
}

test("what is written to a file is in it, and a file is no terminal", async () => {
  const path = join(folder, "log");
  const fd = openSync(path, "w");
  const out = openStdout({ fd, onGone: assert.fail });
  await out.write(Buffer.from("one €\n"));
  await out.write(Buffer.from("two\n"));
  closeSync(fd);
  assert.equal(readFileSync(path, "utf8"), "one €\ntwo\n");
  assert.equal(out.terminal, false);
});

test("a pipe that is read late gets all of it, and the event loop turns meanwhile", async () => {
  const body = `const done = out.write(Buffer.alloc(5_000_000, "x"));
    for (let turn = 0; turn < 3; turn++) await new Promise((next) => setTimeout(next, 1));
    say("turned"); await done; process.exit(0);`;
  const { child, exit } = program(body);
  let read = 0;
  child.stderr.once("data", () => child.stdout.on("data", (chunk: Buffer) => (read += chunk.length)));
  assert.equal(await exit, 0);
  assert.equal(read, 5_000_000);
});

test("what is left at the end goes as far as there is room, and never waits for a reader", () => {
  const fifo = join(folder, "fifo");
  execFileSync("mkfifo", [fifo]);
  const reading = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  const fd = openSync(fifo, "w");
  const out = openStdout({ fd, onGone: assert.fail });
  out.writeNow(Buffer.from("first "));
  out.writeNow(Buffer.alloc(5_000_000, "y"));
  out.writeNow(Buffer.from("z"));
  const memory = Buffer.alloc(6_000_000);
  const read = memory.toString("utf8", 0, readSync(reading, memory));
  assert.match(read, /^first y{1000,}$/);
  closeSync(reading);
  out.writeNow(Buffer.from("to nobody"));
  closeSync(fd);
});

test("what is left at the end goes into a socket as far as that surely has room", async () => {
  const body = `out.writeNow(Buffer.from("first\\n"));
    out.writeNow(Buffer.alloc(5_000_000, "0123456789abcde\\n")); say("over"); process.exit(0);`;
  const { child, said, exit } = program(body);
  child.once("exit", () => child.stdout.resume());
  let read = "";
  child.stdout.on("data", (chunk: Buffer) => (read += chunk.toString())).pause();
  assert.equal(await exit, 0);
  assert.equal(said(), "over");
  assert.match(read, /^first\n(0123456789abcde\n){4096}$/);
});

test("a full pipe that does not block is tried until it takes all", async () => {
  // The same pipe, opened anew with flags of its own.
  const body = `import { constants, openSync } from "node:fs";
    const fd = openSync("/proc/self/fd/1", constants.O_WRONLY | constants.O_NONBLOCK);
    const own = openStdout({ fd, onGone: (reason) => say("gone " + reason) });
    let isDone = false;
    const done = own.write(Buffer.alloc(1_000_000, "x")).then(() => (isDone = true));
    await new Promise((next) => setTimeout(next, 5));
    say(isDone ? "done too early" : "waiting"); await done; process.exit(0);`;
  execFileSync("mkfifo", [join(folder, "go")]);
  const { child, exit, said } = program(body, { shell: '"$@" | { read -r line < go; cat; }' });
  child.stderr.once("data", () => writeFileSync(join(folder, "go"), "\n"));
  let read = 0;
  child.stdout.on("data", (chunk: Buffer) => (read += chunk.length));
  await exit;
  assert.equal(read, 1_000_000);
  assert.equal(said(), "waiting");
});

test("a reader that is gone is told once, is no error, and takes no time", async () => {
  const body = `await new Promise((gone) => process.stdin.once("end", gone).resume());
    for (let i = 0; i < 10; i++) await out.write(Buffer.alloc(200_000, "x"));
    say("done"); process.exit(0);`;
  const { child, exit, said } = program(body);
  child.stdout.destroy();
  child.stdin.end();
  assert.equal(await exit, 0);
  assert.equal(said(), "gone EPIPE done");
});
