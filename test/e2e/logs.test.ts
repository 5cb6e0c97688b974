// The output of services, end to end through the binary: nothing lost, nothing reordered, nothing made up, whatever they write
// and however it is read.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { binary } from "./support/binary.ts";
import { type LogRecord, type RunOptions, start } from "./support/runtime.ts";

const PIECE_BYTES = 64 * 1024;

/** Runs one task for each payload, which writes it; gives what each of them is in the log. */
async function carried(payloads: Record<string, { bytes: string | Uint8Array; command?: string }>) {
  const services = Object.entries(payloads).map(
    ([name, { command = `cat ${name}` }]) => [name, { kind: "task", shell: true, command }] as const,
  );
  const files: NonNullable<RunOptions["files"]> = {
    "runtime.yaml": JSON.stringify({ http: false, services: Object.fromEntries(services) }),
    ...Object.fromEntries(Object.entries(payloads).map(([name, { bytes }]) => [name, bytes])),
  };
  await using runtime = start({ files });
  const { code, stderr } = await runtime.ended;
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  const { records } = runtime;
  return (name: string) =>
    records
      .filter(({ service, stream }) => service === name && stream !== "runtime")
      .map(({ message, part }: LogRecord & { part?: number }) =>
        part === undefined ? message : [message, part],
      );
}

test("lines come as they were written, whatever is in them", async () => {
  const nearly = ["{bad}", '{"a":1', '{"a":1} x', "{}}", "[1,2]", '"text"', "null", " {}"];
  const linesOf = await carried({
    "no-newline": { bytes: "first\nlast" },
    crlf: { bytes: "a\r\n\r\nb\rc\r\n" },
    empty: { bytes: "\n\n\n" },
    nul: { bytes: "a\0b\0\n\0\n" },
    nothing: { bytes: "" },
    invalid: { bytes: Buffer.from([0x61, 0xff, 0xc3, 0x0a, 0xe2, 0x82, 0x0a, 0xed, 0xa0, 0x80, 0x0a, 0xe2]) },
    escapes: { bytes: `"quoted" \\ \u001b[31mred\u001b[0m \t€ 😀\n` },
    nearly: { bytes: `${nearly.join("\n")}\n` },
    json: { bytes: '{"level":"warn","n":{"a":[1]}}\n{}\n{"time":1,"service":"me"}\n' },
    "byte-by-byte": { bytes: "€uro\r\n{}\n\xff\n", command: "dd if=byte-by-byte bs=1 2>/dev/null" },
  });
  assert.deepEqual(linesOf("no-newline"), ["first", "last"]);
  assert.deepEqual(linesOf("crlf"), ["a", "", "b\rc"]);
  assert.deepEqual(linesOf("empty"), ["", "", ""]);
  assert.deepEqual(linesOf("nul"), ["a\0b\0", "\0"]);
  assert.deepEqual(linesOf("nothing"), []);
  assert.deepEqual(linesOf("invalid"), ["a\uFFFD\uFFFD", "\uFFFD", "\uFFFD\uFFFD\uFFFD", "\uFFFD"]);
  assert.deepEqual(linesOf("escapes"), ['"quoted" \\ \u001b[31mred\u001b[0m \t€ 😀']);
  assert.deepEqual(linesOf("nearly"), nearly);
  assert.deepEqual(linesOf("json"), [{ level: "warn", n: { a: [1] } }, {}, { time: 1, service: "me" }]);
  assert.deepEqual(linesOf("byte-by-byte"), ["€uro", {}, "ÿ"]);
});

test("a line of 10 MiB comes in pieces of at most 64 KiB that are numbered and concatenate to it", async () => {
  const line = `${"0123456789abcde€".repeat((10 * 1024 * 1024) / 18)}`;
  const json = `{"big":"${"x".repeat(PIECE_BYTES - 10)}"}`;
  const tooLarge = `{"big":"${"x".repeat(PIECE_BYTES)}"}`;
  const linesOf = await carried({
    long: { bytes: `before\n${line}\nafter\n` },
    json: { bytes: `${json}\n${tooLarge}\n` },
  });
  const [before, ...rest] = linesOf("long");
  const pieces = rest.slice(0, -1) as [string, number][];
  assert.deepEqual([before, rest.at(-1)], ["before", "after"]);
  assert.deepEqual(
    pieces.map(([, part]) => part),
    pieces.map((_, index) => index + 1),
  );
  for (const [text] of pieces) assert.ok(Buffer.byteLength(text) <= PIECE_BYTES);
  assert.ok(pieces.map(([text]) => text).join("") === line);
  const [object, ...parts] = linesOf("json");
  assert.deepEqual(object, JSON.parse(json));
  assert.deepEqual(parts, [
    [tooLarge.slice(0, PIECE_BYTES), 1],
    [tooLarge.slice(PIECE_BYTES), 2],
  ]);
});

test("pretty shows which lines are pieces of one", async () => {
  const config = `runtime: { log: { format: pretty } }\nhttp: false\nservices: { app: { kind: task, command: [cat, long] } }`;
  await using runtime = start({ files: { "runtime.yaml": config, long: `${"x".repeat(150_000)}\nshort\n` } });
  const { stdout } = await runtime.ended;
  const lines = stdout.split("\n").filter((each) => each.startsWith("app "));
  assert.deepEqual(
    lines.map((text) => /^app +\| (\[part \d\] )?./.exec(text)?.[1]?.trim()),
    ["[part 1]", "[part 2]", "[part 3]", undefined],
    lines.map((text) => text.slice(0, 40)).join("\n"),
  );
});

test("a process that closes its pipes goes on, and one that dies in a line leaves it to itself", async () => {
  await using runtime = start({
    files: {
      "runtime.yaml": `
services:
  mute: { command: [sh, -c, "echo last; exec >&- 2>&-; while :; do echo alive > mark; sleep 0.01; done"] }
  dying: { command: [sh, -c, "printf half; kill -9 $$$$"], restart: { policy: on-failure, backoff: 1ms..1ms, limit: 2/1m }, critical: false }
`,
    },
  });
  await runtime.record("dying", /^failed/);
  assert.deepEqual(runtime.messages("dying", "stdout"), ["half", "half", "half"]);
  assert.deepEqual(runtime.messages("mute", "stdout"), ["last"]);
  while (!readdirSync(runtime.folder).includes("mark")) await new Promise((next) => setTimeout(next, 5));
  assert.equal((await runtime.stop()).code, 0);
});

const SERVICES = 20;
const LINES = 3000;

/** Both streams of twenty services at once, lines of all lengths. */
function floodConfig(log: object): NonNullable<RunOptions["files"]> {
  const names = Array.from({ length: SERVICES }, (_, index) => `p${index}`);
  const command = ["sh", "flood.sh"];
  const services = Object.fromEntries(names.map((name) => [name, { kind: "task", command }]));
  return {
    "runtime.yaml": JSON.stringify({ runtime: { log }, http: false, services }),
    "flood.sh": `exec awk 'BEGIN {
      pad = sprintf("%0999d", 0);
      for (line = 0; line < ${LINES}; line++) {
        print line " " substr(pad, 1, (line * 37) % 999) > "/dev/stdout";
        print line " " substr(pad, 1, (line * 91) % 999) > "/dev/stderr";
      }
    }'`,
  };
}

/** Every stream of every service has every line, whole, once, in its order. */
function assertComplete(text: string): void {
  const next = new Map<string, number>();
  for (const line of text.trimEnd().split("\n")) {
    const { service, stream, message } = JSON.parse(line) as LogRecord;
    if (stream === "runtime") continue;
    const [, number = "", pad = ""] = /^(\d+) (0*)$/.exec(String(message)) ?? [];
    const key = `${service} ${stream}`;
    const expected = next.get(key) ?? 0;
    if (Number(number) !== expected || pad.length !== (expected * (stream === "stdout" ? 37 : 91)) % 999)
      assert.fail(`${key}: got ${String(message).slice(0, 20)} where line ${expected} belongs`);
    next.set(key, expected + 1);
  }
  assert.equal(next.size, SERVICES * 2);
  for (const [key, count] of next) assert.equal(count, LINES, key);
}

test("twenty services that flood both streams lose no line, on the output and in a file that is turned over", async () => {
  const log = { file: { path: "all.log", maxSize: "1MiB", keep: 1000 } };
  await using runtime = start({ files: floodConfig(log), env: { HARAKA_DATA: "." } });
  const { code, stdout, stderr } = await runtime.ended;
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  assertComplete(stdout);
  const names = readdirSync(runtime.folder).filter((name) => name.startsWith("all.log"));
  assert.ok(names.length > 10, names.join(" "));
  const ages = names.map((name) => Number(name.split(".")[2] ?? 0)).toSorted((a, b) => b - a);
  const texts = ages.map((age) =>
    readFileSync(join(runtime.folder, age === 0 ? "all.log" : `all.log.${age}`), "utf8"),
  );
  for (const text of texts) assert.ok(text.length <= 1024 * 1024 && text.endsWith("\n"));
  assertComplete(texts.join(""));
});

test("a slow reader gets every line, also what is left when the last service has ended", async () => {
  await using runtime = start({ files: { ...floodConfig({}), idle: "" }, program: ["true"], args: [] });
  await runtime.ended;
  const child = spawn(binary(), ["run"], { cwd: runtime.folder, stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "close");
  assertComplete(await slowly(child));
  assert.deepEqual(await ended, [0, null]);
});

/** What it writes, read with a pause after every piece. */
async function slowly(child: ChildProcess): Promise<string> {
  let text = "";
  for await (const chunk of child.stdout ?? []) {
    text += String(chunk);
    await new Promise((next) => setTimeout(next, 1));
  }
  return text;
}
