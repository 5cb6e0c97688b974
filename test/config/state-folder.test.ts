// Where state is kept, and what the config puts there: the control socket and the log file. And how much a log may take.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Config } from "../../src/config/config.ts";
import { loadConfig } from "../../src/config/load.ts";
import { printConfig } from "../../src/config/print.ts";
import { ConfigError } from "../../src/errors.ts";
import { memoryConfig } from "../fakes/config-files.ts";
import { configOf, problemsOf } from "./reading.ts";

const SERVICES = "services: { a: { command: [x] } }";

function withLines(lines: string, env: Record<string, string> = {}): Config {
  return configOf({ files: { "runtime.yaml": `${lines}\n${SERVICES}` }, env });
}

/** The environment, and the state folder it leads to. */
const FOLDERS: [env: Record<string, string>, folder: string][] = [
  [{}, "/app/data"],
  [{ HARAKA_DATA: "/var/lib/shop" }, "/var/lib/shop"],
  [{ HARAKA_DATA: "../state" }, "/state"],
  [{ STATE_DIRECTORY: "/var/lib/unit" }, "/var/lib/unit"],
  [{ STATE_DIRECTORY: "/var/lib/one:/var/lib/two" }, "/var/lib/one"],
  [{ HARAKA_DATA: "/a", STATE_DIRECTORY: "/b" }, "/a"],
  [{ HARAKA_DATA: "", STATE_DIRECTORY: "" }, "/app/data"],
];

for (const [env, folder] of FOLDERS) {
  test(`with ${JSON.stringify(env)} state is in ${folder}`, () => {
    const { stateFolder, control } = withLines("", env);
    assert.equal(stateFolder, folder);
    assert.deepEqual(control, { socket: `${folder}/haraka.sock`, socketNamed: false });
  });
}

test("control has the socket that is named, or none, and a token that is not empty", () => {
  const control = (line: string, env = {}) => withLines(`control: ${line}`, env).control;
  assert.deepEqual(control("{ socket: shop.sock }"), { socket: "/app/data/shop.sock", socketNamed: true });
  assert.deepEqual(control("{ socket: haraka.sock }"), {
    socket: "/app/data/haraka.sock",
    socketNamed: true,
  });
  assert.deepEqual(control("{ socket: /run/shop.sock, token: 0123 }"), {
    socket: "/run/shop.sock",
    socketNamed: true,
    token: "0123",
  });
  assert.deepEqual(control("{ socket: 'false' }"), { socket: false, socketNamed: true });
  const token = "{ token: '${CONTROL_TOKEN:-}' }";
  assert.deepEqual(control(token), { socket: "/app/data/haraka.sock", socketNamed: false });
  assert.equal(control(token, { CONTROL_TOKEN: "abc" }).token, "abc");
});

test("the control token is shown nowhere", () => {
  const yaml = `control: { token: hush-hush, socket: "hush-hush\${NONE}" }\nservices: { a: { command: [x], kind: hush-hush } }`;
  assert.deepEqual(problemsOf(yaml), [
    'runtime.yaml:1:38 control.socket: cannot resolve "${NONE}": the variable is not set; set it, or write ${NONE:-default}',
    'runtime.yaml:2:38 services.a.kind: expected `task`, got "(redacted)"',
  ]);
  const printed = printConfig(
    memoryConfig({
      files: { "a.yaml": "control: { token: hush-hush }\nservices: { a: { command: [x, hush-hush] } }" },
    }),
  );
  assert.match(printed, /token: \(redacted\)/);
  assert.ok(!printed.includes("hush"), printed);
});

/** The problem with a socket of so many bytes, if there is one. */
function problemWith(
  bytes: number,
  { platform, named = true }: { platform: string; named?: boolean },
): string {
  const folder = `/${"é".repeat(20)}`;
  const path = `${folder}/`.padEnd(bytes - 20, "x");
  const files = { "runtime.yaml": named ? `control: { socket: ${path} }\n${SERVICES}` : SERVICES };
  try {
    loadConfig({ ...memoryConfig({ files, env: { HARAKA_DATA: path } }), platform });
    return "";
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.message.replace(path, "PATH");
  }
}

test("a named socket's path fits into what the system has for it, counted in bytes", () => {
  const tooLong = (bytes: number, system: string, limit: number) =>
    `runtime.yaml:1:20 control.socket: cannot have a socket at "PATH": the path is ${bytes} bytes long, and ${system} takes ${limit}; use a shorter one, as \`/run/haraka.sock\`, or a shorter state folder (HARAKA_DATA)`;
  assert.equal(problemWith(107, { platform: "linux" }), "");
  assert.equal(problemWith(108, { platform: "linux" }), tooLong(108, "Linux", 107));
  assert.equal(problemWith(103, { platform: "darwin" }), "");
  assert.equal(problemWith(104, { platform: "darwin" }), tooLong(104, "macOS", 103));
  assert.equal(problemWith(200, { platform: "linux", named: false }), "");
});

test("the log has a ring and, when asked, a file", () => {
  const log = (text: string) => withLines(`runtime: { log: ${text} }`, { HARAKA_DATA: "/state" }).runtime.log;
  assert.deepEqual(log("{}"), { format: "auto", level: "info", overflow: "pause", ringBytes: 262_144 });
  const file = { path: "/state/a.log", maxBytes: 10 * 1024 * 1024, keep: 5 };
  assert.deepEqual(log("{ file: a.log }").file, file);
  assert.deepEqual(log("{ file: { path: a.log } }").file, file);
  assert.deepEqual(log('{ overflow: drop, ring: 1MiB, file: { path: /l/a, maxSize: 5MB, keep: "0" } }'), {
    format: "auto",
    level: "info",
    overflow: "drop",
    ringBytes: 1024 * 1024,
    file: { path: "/l/a", maxBytes: 5_000_000, keep: 0 },
  });
});

/** A size, and the bytes it is. */
const SIZES: Record<string, number> = {
  "1024B": 1024,
  "64KiB": 65_536,
  "64KB": 64_000,
  "10MiB": 10_485_760,
  "1GiB": 2 ** 30,
  "1GB": 1_000_000_000,
};

for (const [size, bytes] of Object.entries(SIZES)) {
  test(`${size} is ${bytes} bytes`, () => {
    assert.equal(withLines(`runtime: { log: { ring: ${size} } }`).runtime.log.ringBytes, bytes);
  });
}

const SIZE = "expected a size such as 64KiB, 10MiB or 1GiB";

const REFUSED: [line: string, ...problems: string[]][] = [
  ...["64", "-1KiB"].map((text): [string, string] => [
    `runtime: { log: { ring: '${text}' } }`,
    `1:25 runtime.log.ring: ${SIZE}, got ${text === "64" ? "64 without a unit: write 64B" : `"${text}"`}`,
  ]),
  ["runtime: { log: { ring: 64 } }", `1:25 runtime.log.ring: ${SIZE}, got 64 without a unit: write 64B`],
  ...["1.5MiB", "1 MiB", "1kib", "1TiB", "KiB", ""].map((text): [string, string] => [
    `runtime: { log: { ring: '${text}' } }`,
    `1:25 runtime.log.ring: ${SIZE}, got "${text}"`,
  ]),
  ["runtime: { log: { ring: 1023B } }", '1:25 runtime.log.ring: expected at least 1KiB, got "1023B"'],
  ["runtime: { log: { ring: 2GiB } }", '1:25 runtime.log.ring: expected at most 1GiB, got "2GiB"'],
  [
    "runtime: { log: { overflow: block } }",
    '1:29 runtime.log.overflow: expected `pause` or `drop`, got "block"',
  ],
  ["runtime: { log: { file: '' } }", '1:25 runtime.log.file: expected it not to be empty, got ""'],
  ["runtime: { log: { file: 5 } }", "1:25 runtime.log.file: expected text or a map, got 5"],
  ["runtime: { log: { file: {} } }", "1:19 runtime.log.file.path: expected text, got nothing"],
  [
    "runtime: { log: { file: { path: a, maxSize: 5, keep: -1, size: 1 } } }",
    `1:45 runtime.log.file.maxSize: ${SIZE}, got 5 without a unit: write 5B`,
    "1:54 runtime.log.file.keep: expected at least 0, got -1",
    '1:58 runtime.log.file.size: unknown key "size"; known are path, maxSize, keep',
  ],
  ["control:", "1:1 control: expected a map, got nothing"],
  ["control: false", "1:10 control: expected a map, got false"],
  ["control: { socket: true }", "1:20 control.socket: expected `false` or text, got true"],
  ["control: { socket: '' }", '1:20 control.socket: expected it not to be empty, got ""'],
  ["control: { token: [a] }", "1:12 control.token: expected text, got a list"],
  ["control: { sockt: a }", '1:12 control.sockt: unknown key "sockt"; did you mean "socket"?'],
];

for (const [line, ...problems] of REFUSED) {
  test(`loadConfig refuses ${JSON.stringify(line)}`, () => {
    assert.deepEqual(
      problemsOf(`${line}\n${SERVICES}`),
      problems.map((problem) => `runtime.yaml:${problem}`),
    );
  });
}
