// The text of records and output lines, in both formats.
import assert from "node:assert/strict";
import { test } from "node:test";
import { recordLog, type RecordLogOptions } from "../../src/drivers/record-log.ts";

function open(options: Partial<RecordLogOptions> = {}) {
  const written: string[] = [];
  const log = recordLog({
    format: "json",
    level: "info",
    name: "shop",
    services: ["api", "worker"],
    colour: false,
    wallTime: () => Date.UTC(2026, 0, 2, 3, 4, 5, 678),
    write: (text) => written.push(text) > 0,
    drained: () => Promise.resolve(),
    ...options,
  });
  const json = (): unknown[] => written.map((text) => JSON.parse(text));
  return { log, written, json };
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
  const { log, written } = open({ level: "error" });
  log.debug("a");
  log.info("b");
  log.warn("c");
  log.error("d");
  log.line({ service: "api", stream: "stdout", text: "e" });
  assert.equal(written.length, 2);
});

test("json line carries the stream, and the part of a split one", () => {
  const { log, json } = open();
  log.line({ service: "api", stream: "stderr", text: 'a "b" \0' });
  log.line({ service: "api", stream: "stdout", text: "{}", part: 2 });
  assert.deepEqual(json(), [
    { time, level: "info", service: "api", stream: "stderr", message: 'a "b" \0' },
    { time, level: "info", service: "api", stream: "stdout", message: "{}", part: 2 },
  ]);
});

test("json line that is a JSON object is carried as one, anything else as text", () => {
  const { log, json } = open();
  for (const text of ['{"a":{"b":1}}', "[1]", "{not json}", '"text"', "7"]) {
    log.line({ service: "api", stream: "stdout", text });
  }
  assert.deepEqual(
    json().map((record) => (record as { message: unknown }).message),
    [{ a: { b: 1 } }, "[1]", "{not json}", '"text"', "7"],
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
  const { log, written } = open({ format: "pretty" });
  log.line({ service: "api", stream: "stdout", text: "hello" });
  log.line({ service: "worker", stream: "stderr", text: "hello" });
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
  for (const { log } of [coloured, plain]) {
    for (const service of ["api", "worker"]) log.line({ service, stream: "stdout", text: "x" });
  }
  const [api, worker] = coloured.written.map((text) => text.split("m", 1)[0]);
  assert.notEqual(api, worker);
  assert.ok(coloured.written.every((text) => text.endsWith("\x1b[0mx\n")));
  assert.ok(!plain.written.join("").includes("\x1b"));
});

test("line says what the sink says", () => {
  const { log } = open({ write: () => false });
  assert.equal(log.line({ service: "api", stream: "stdout", text: "x" }), false);
});
