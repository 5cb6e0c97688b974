// What is kept of services' output: the latest, bounded by bytes, counted without gaps, and passed on to whoever follows.
import assert from "node:assert/strict";
import { test } from "node:test";
import { logRing } from "../../src/drivers/log-ring.ts";
import type { Log, Output, OutputLine } from "../../src/ports/log.ts";
import type { LogLine } from "../../src/ports/control.ts";

function rig(bytesMax = 10_000) {
  const passed: string[] = [];
  const note = (message: string) => void passed.push(message);
  const sink: Log & Output = {
    debug: note,
    info: note,
    warn: note,
    error: note,
    line: ({ text }) => passed.push(text) % 2 === 0,
    drained: async () => {},
  };
  const ring = logRing({ bytesMax, wallTime: () => 1_000 });
  const log = ring.keeping(sink);
  const write = (text: string, more: Partial<OutputLine> = {}) =>
    log.line({ service: "db", stream: "stdout", text, ...more });
  return { ring, log, write, passed };
}

const texts = (lines: readonly LogLine[]) => lines.map(({ text }) => text);

test("lines and records of a service are kept in order, and passed on with what the sink said", () => {
  const { ring, log, write, passed } = rig();
  assert.equal(write("one"), false);
  log.info("ready", { service: "db" });
  log.debug("probing", { service: "db" });
  log.info("listening");
  assert.equal(write("two", { stream: "stderr", part: 1 }), false);
  assert.deepEqual(passed, ["one", "ready", "probing", "listening", "two"]);
  assert.deepEqual(ring.read("db"), [
    { seq: 1, atMs: 1_000, service: "db", stream: "stdout", text: "one" },
    { seq: 2, atMs: 1_000, service: "db", stream: "runtime", text: "ready" },
    { seq: 3, atMs: 1_000, service: "db", stream: "stderr", text: "two", part: 1 },
  ]);
});

test("read gives at most the last of them, and nothing of a service that has written nothing", () => {
  const { ring, write } = rig();
  for (const text of ["a", "b", "c"]) write(text);
  assert.deepEqual(texts(ring.read("db", { tail: 2 })), ["b", "c"]);
  assert.deepEqual(ring.read("db", { tail: 0 }), []);
  assert.deepEqual(texts(ring.read("db", { tail: 9 })), ["a", "b", "c"]);
  assert.deepEqual(ring.read("api"), []);
});

test("the oldest go when there are too many bytes, and the count goes on", () => {
  const { ring, write } = rig(10_000);
  for (let n = 1; n <= 5_000; n++) write(`line ${n}`);
  const kept = ring.read("db");
  assert.ok(kept.length > 50 && kept.length < 100, `${kept.length} kept`);
  assert.deepEqual(
    kept.map(({ seq }) => seq),
    kept.map((_, index) => 5_000 - kept.length + 1 + index),
  );
  write("x".repeat(100_000));
  assert.equal(ring.read("db").length, 1, "one line is kept, whatever its size");
  write("after");
  assert.deepEqual(texts(ring.read("db")), ["after"]);
});

test("each service has a ring of its own", () => {
  const { ring, write } = rig(2_000);
  write("quiet", { service: "api" });
  for (let n = 0; n < 1_000; n++) write("loud");
  assert.deepEqual(texts(ring.read("api")), ["quiet"]);
});

test("followers get what comes from now on, of their services, until they end it", () => {
  const { ring, write } = rig();
  const seen: string[] = [];
  write("before");
  const end = ring.follow(["db", "later"], ({ service, text }) => void seen.push(`${service} ${text}`));
  write("one");
  write("other", { service: "api" });
  write("two", { service: "later" });
  end();
  write("after");
  assert.deepEqual(seen, ["db one", "later two"]);
});
