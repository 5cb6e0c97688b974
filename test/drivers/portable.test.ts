// The drivers on every runtime they are for: one program, run by Bun, Deno, Node and as a compiled
// binary, has to say the same, but for what Node has no FFI for.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, test } from "node:test";
import { promisify } from "node:util";

const root = join(import.meta.dirname, "../..");
const bin = join(root, "node_modules/.bin");
const program = join(root, "test/fixtures/portable-drivers.ts");
const run = promisify(execFile);
let folder = "";

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "haraka-test-"));
  await copyFile(join(root, "test/fixtures/modules/greeter.ts"), join(folder, "greeter.ts"));
});
after(() => rm(folder, { recursive: true }));

const invalid = "settings.greeting: Invalid input: expected string, received number";
const expected = {
  zodLoadsBefore: 0,
  exit: [3, null, "out\n", "err\n"],
  stop: [null, "SIGTERM", "up\n", ""],
  kill: [null, "SIGKILL", "up\n", ""],
  ready: { type: "ready" },
  neverReady: { type: "mute", reason: "closed its notification descriptor without saying ready" },
  socket: { type: "status", text: "here" },
  notFound: 'command "no-such-command" not found in PATH (/usr/bin:/bin)',
  noFolder: 'working directory "/no/such/folder" does not exist',
  directory: 'command "./usr" is a directory (/usr)',
  notExecutable: 'command "./greeter.ts" is not executable; chmod +x FOLDER/greeter.ts',
  loaded: [true, "greeter", { greeting: "hello", times: 1 }],
  invalid: `cannot load ./greeter.ts#Greeter for service "greeter": its settings are invalid: ${invalid}`,
  noExport: `cannot load ./greeter.ts#Greter for service "greeter": it has no export "Greter" (it exports "Greeter", "Picky", "answer", "plain")`,
  zodLoaded: true,
  signal: "SIGINT",
};

/** `other` is what this runtime alone says. */
async function check(file: string, args: string[], other: object = {}): Promise<void> {
  const { stdout } = await run(file, [...args, folder]);
  assert.deepEqual(JSON.parse(stdout), { ...expected, ...other });
}

test("drivers work under Bun", { timeout: 60_000 }, () => check(process.execPath, [program]));
test("drivers work under Node", { timeout: 60_000 }, () =>
  check(join(bin, "node"), [program], {
    socket: { type: "mute", reason: "sd_notify needs FFI, which Node has not; use notificationFd" },
  }),
);
test("drivers work under Deno", { timeout: 60_000 }, () =>
  check(join(bin, "deno"), ["run", "--allow-all", program]),
);
test("drivers work in a compiled binary", { timeout: 60_000 }, async () => {
  const binary = join(folder, "drivers");
  const flags = ["--compile", "--minify", "--bytecode", "--format=esm"];
  await run(process.execPath, ["build", ...flags, program, "--outfile", binary], { cwd: folder });
  await check(binary, []);
});
