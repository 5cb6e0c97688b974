// The text of records and output lines, in both formats.
import assert from "node:assert/strict";
import { test } from "node:test";
import { recordLog, type RecordLogOptions } from "../../src/drivers/record-log.ts";
import type { OutputStream } from "../../src/ports/log.ts";
import { linesOf } from "../fakes/lines.ts";

interface Line {
  service: string;
  stream: OutputStream;
  text: string | Uint8Array;
  part?: number;
}

function open(options: Partial<RecordLogOptions> = {}) {
  const written: string[] = [];
  const counts = { lines: 0, records: 0 };
  const { log, output } = recordLog({
    format: "json",
    level: "info",
    name: "shop",
    services: ["api", "worker"],
    colour: false,
    wallTime: () => Date.UTC(2026, 0, 2, 3, 4, 5, 678),
    sink: {
      write(bytes, { kind, count }) {
        written.push(Buffer.from(bytes).toString());
        counts[kind] += count;
      },
      isFull: () => false,
      drained: () => Promise.resolve(),
    },
    ...options,
  });
  const line = ({ service, stream, text, part }: Line): void =>
    output.open(service, stream).write(linesOf([text], part));
  const json = (): unknown[] => written.map((text) => JSON.parse(text));
  return { log, output, line, written, counts, json };
}

const time = "2026-01-02T03:04:05.678Z";

test("json record carries time, level, service, stream, message and fields", () => {
  const { log, written, json } = open();
  log.info("listening", { port: 8080, skipped: undefined });
  log.warn("slow", { service: "api" });
  assert.deepEqual(json(), [
    { time, level: "info", service: "shop", stream: "runtime", message: "listening", port: 8080 },
    { time, level: "warn", service: "api", stream: "runtime", message: "slow" },
  ]);
  assert.ok(written.every((text) => text.indexOf("\n") === text.length - 1));
});

test("records below the level are left out, output never is", () => {
  const { log, line, written } = open({ level: "error" });
  log.debug("a");
  log.info("b");
  log.warn("c");
  log.error("d");
  line({ service: "api", stream: "stdout", text: "e" });
  assert.equal(written.length, 2);
});

test("json line carries the stream, and the part of a split one", () => {
  const { line, json } = open();
  line({ service: "api", stream: "stderr", text: 'a "b" \0' });
  line({ service: "api", stream: "stdout", text: "{}", part: 2 });
  assert.deepEqual(json(), [
    { time, level: "info", service: "api", stream: "stderr", message: 'a "b" \0' },
    { time, level: "info", service: "api", stream: "stdout", message: "{}", part: 2 },
  ]);
});

test("json line that is a JSON object is carried as one, anything else as text", () => {
  const { line, json } = open();
  for (const text of ['{"a":{"b":1}}', "{}", "{ }", "", "[1]", "{not json}", '"text"', "7"]) {
    line({ service: "api", stream: "stdout", text });
  }
  assert.deepEqual(
    json().map((record) => (record as { message: unknown }).message),
    [{ a: { b: 1 } }, {}, {}, "", "[1]", "{not json}", '"text"', "7"],
  );
});

test("fields that JSON cannot hold never break a record", () => {
  const { log, json } = open();
  const loop: Record<string, unknown> = {};
  loop["self"] = loop;
  log.error("odd", { loop, nested: { big: 1n }, call: () => 1, error: new Error("inner") });
  const [record] = json() as [Record<string, unknown>];
  assert.equal(record["message"], "odd");
  assert.deepEqual(record["nested"], { big: "1" });
  assert.match(String(record["error"]), /inner/);
});

test("pretty lines are aligned behind the name of their service", () => {
  const { log, line, written } = open({ format: "pretty" });
  line({ service: "api", stream: "stdout", text: "hello" });
  line({ service: "worker", stream: "stderr", text: "hello" });
  log.info("ready", { afterMs: 12, path: "/x" });
  log.warn("two\nlines");
  assert.equal(
    written.join(""),
    [
      "api    | hello",
      "worker | hello",
      "shop   | ready afterMs=12 path=/x",
      "shop   | warn: two",
      "shop   | lines",
      "",
    ].join("\n"),
  );
});

test("pretty gives each service its colour, and without colour there is no escape", () => {
  const coloured = open({ format: "pretty", colour: true });
  const plain = open({ format: "pretty", colour: false });
  for (const { line } of [coloured, plain]) {
    for (const service of ["api", "worker"]) line({ service, stream: "stdout", text: "x" });
  }
  const [api, worker] = coloured.written.map((text) => text.split("m", 1)[0]);
  assert.notEqual(api, worker);
  assert.ok(coloured.written.every((text) => text.endsWith("\x1b[0mx\n")));
  assert.ok(!plain.written.join("").includes("\x1b"));
});

test("own pretty records have no empty colours, and their fields are dim", () => {
  const { log, written } = open({ format: "pretty", colour: true });
  log.info("ready");
  log.info("ready", { pid: 7 });
  const prefix = "\x1b[1mshop   | \x1b[0m";
  assert.deepEqual(written, [`${prefix}ready\n`, `${prefix}ready\x1b[2m pid=7\x1b[0m\n`]);
});

test("pretty marks the pieces of a split line", () => {
  const { line, written } = open({ format: "pretty" });
  line({ service: "api", stream: "stdout", text: "aaa", part: 1 });
  line({ service: "api", stream: "stdout", text: "b", part: 2 });
  assert.deepEqual(written, ["api    | [part 1] aaa\n", "api    | [part 2] b\n"]);
});

test("invalid UTF-8 becomes U+FFFD in both formats", () => {
  for (const format of ["json", "pretty"] as const) {
    const { line, written } = open({ format });
    line({ service: "api", stream: "stdout", text: Buffer.from([0x61, 0xff, 0x62]) });
    assert.match(written.join(""), /a\uFFFDb/);
  }
});

test("json lines that are nearly JSON are text, and what is JSON stays as it was written", () => {
  const { line, json, written } = open();
  const deep = `${'{"a":'.repeat(5000)}1${"}".repeat(5000)}`;
  const texts = ["{bad}", "{}}", '{"a":1} {"b":2}', "{", "}", '{"a":\t1.0,"a":2,"\u20ac":"\\u20ac"}', deep];
  for (const text of texts) line({ service: "api", stream: "stdout", text });
  const messages = json().map((record) => (record as { message: unknown }).message);
  assert.deepEqual(messages.slice(0, 5), texts.slice(0, 5));
  assert.ok(written[5]?.includes(`"message":${texts[5]}}`), written[5]);
  assert.ok(written[6]?.includes(`"message":${deep}}`));
});

test("many lines at once are one record each, in order, whatever stands between them", () => {
  const { output, written, counts } = open();
  const texts = Array.from({ length: 1000 }, (_, index) =>
    index % 3 === 0 ? `"${index}"` : `${index} ${"x".repeat(700)}`,
  );
  output.open("api", "stdout").write(linesOf(texts));
  const records = written.join("").trimEnd().split("\n");
  assert.deepEqual(
    records.map((text) => (JSON.parse(text) as { message: string }).message),
    texts,
  );
  assert.deepEqual(counts, { lines: 1000, records: 0 });
  assert.ok(written.length > 1, "a page is handed over when it is full");
});

test("the worst that a piece can become fits on a page", () => {
  const { output, written } = open();
  const piece = "\0".repeat(64 * 1024);
  output.open("api", "stdout").write(linesOf(Array.from({ length: 5 }, () => piece)));
  const records = written.join("").trimEnd().split("\n");
  assert.equal(records.length, 5);
  for (const text of records) assert.ok((JSON.parse(text) as { message: string }).message === piece);
});

test("the output is as full as its sink", () => {
  let isFull = true;
  const { output } = open({ sink: { write() {}, isFull: () => isFull, drained: () => Promise.resolve() } });
  assert.equal(output.isFull(), true);
  isFull = false;
  assert.equal(output.isFull(), false);
});
