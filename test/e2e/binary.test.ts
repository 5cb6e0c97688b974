// The build: one executable for this machine, and the same for others, with the Bun of the npm registry inside.
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, openSync, readFileSync, readSync, closeSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { promisify } from "node:util";
import { signed } from "../../build/sign-mac.ts";
import { binary, root } from "./support/binary.ts";

const run = promisify(execFile);
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };

function build(target: string): Promise<{ stdout: string; stderr: string }> {
  return run(process.execPath, [join(root, "build/binary.ts"), `--target=${target}`]);
}

/** The machine and the program interpreter in an ELF file's headers (System V ABI, chapters 4 and 5; 64 bit, little endian). */
function readElf(path: string): { machine: number; interpreter: string } {
  const head = Buffer.alloc(4096);
  const file = openSync(path, "r");
  readSync(file, head);
  closeSync(file);
  assert.equal(head.toString("latin1", 0, 4), "\x7fELF");
  const [table, size, count] = [
    Number(head.readBigUInt64LE(32)),
    head.readUInt16LE(54),
    head.readUInt16LE(56),
  ];
  const headers = Array.from({ length: count }, (_, index) => head.subarray(table + index * size));
  const interpreter = headers.find((header) => header.readUInt32LE(0) === 3);
  assert.ok(interpreter, "no PT_INTERP header");
  const [offset, length] = [Number(interpreter.readBigUInt64LE(8)), Number(interpreter.readBigUInt64LE(32))];
  return {
    machine: head.readUInt16LE(18),
    interpreter: head.toString("latin1", offset, offset + length - 1),
  };
}

test("binary says the version of package.json", () => {
  const answer = JSON.parse(execFileSync(binary(), ["version", "--json"], { encoding: "utf8" })) as {
    version: string;
  };
  assert.equal(answer.version, version);
});

test("binary ignores .env and bunfig.toml of the working directory", () => {
  const folder = mkdtempSync(join(tmpdir(), "haraka-binary-"));
  try {
    writeFileSync(join(folder, "bunfig.toml"), 'preload = ["./absent.ts"]\n');
    writeFileSync(join(folder, ".env"), "HARAKA_CONFIG=from-dotenv.yaml\n");
    const env = { PATH: process.env["PATH"] };
    assert.match(
      execFileSync(binary(), ["version"], { cwd: folder, env, encoding: "utf8" }),
      new RegExp(version),
    );
    assert.throws(
      () => execFileSync(binary(), ["validate"], { cwd: folder, env, encoding: "utf8", stdio: "pipe" }),
      ({ stderr }: { stderr: string }) => !stderr.includes("from-dotenv"),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("binary has the library that reads schedules", () => {
  const folder = mkdtempSync(join(tmpdir(), "haraka-binary-"));
  try {
    const task = (cron: string) =>
      writeFileSync(
        join(folder, "runtime.yaml"),
        `services: { a: { kind: task, command: [x], schedule: "${cron}" } }\n`,
      );
    const validate = () =>
      execFileSync(binary(), ["validate"], { cwd: folder, encoding: "utf8", stdio: "pipe" });
    task("*/5 * * * *");
    validate();
    task("*/90 * * * *");
    assert.throws(validate, ({ stderr }: { stderr: string }) =>
      stderr.includes('cannot read the schedule "*/90 * * * *"'),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("the library that reads schedules is loaded only for a schedule", () => {
  const loaded = (keys: string) => {
    const program = `
      import { loadConfig } from "./src/config/load.ts";
      import { memoryConfig } from "./test/fakes/config-files.ts";
      loadConfig(memoryConfig({ files: { "a.yaml": "services: { a: { command: [x], ${keys} } }" } }));
      console.log(Object.keys(require.cache).some((path) => path.includes("/croner/")));
    `;
    return execFileSync(process.execPath, ["-e", program], { cwd: root, encoding: "utf8" }).trim();
  };
  assert.equal(loaded("kind: task, restart: on-failure"), "false");
  assert.equal(loaded("kind: task, schedule: '@daily'"), "true");
});

// macOS kills a program that is not what was signed. For arm64 the bundler signs, which shows whether we would do it in the same way.
for (const [target, name] of [
  ["darwin-x64", "haraka"],
  ["darwin-arm64", "a.out"],
] as const) {
  test(
    `build --target=${target} makes an executable whose signature fits`,
    { timeout: 120_000 },
    async () => {
      const path = (await build(target)).stdout.trim();
      const program = readFileSync(path);
      assert.ok(signed(program, { name }).equals(program));
      if (process.platform === "darwin") execFileSync("codesign", ["--verify", "--strict", path]);
    },
  );
}

for (const [target, machine, interpreter] of [
  ["linux-x64-musl", 62, "/lib/ld-musl-x86_64.so.1"],
  ["linux-arm64", 183, "/lib/ld-linux-aarch64.so.1"],
] as const) {
  test(`build --target=${target} makes an executable for it`, { timeout: 120_000 }, async () => {
    const { stdout } = await build(target);
    assert.equal(stdout.trim(), join(root, `dist/haraka-${target}`));
    assert.deepEqual(readElf(stdout.trim()), { machine, interpreter });
  });
}

test("build of an unknown target names the known ones", async () => {
  await assert.rejects(build("plan9-mips"), ({ code, stderr }: { code: number; stderr: string }) => {
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^cannot build for "plan9-mips": no such target; choose one of linux-x64, linux-x64-musl,/,
    );
    return true;
  });
});
