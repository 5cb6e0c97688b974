// What is kept of each service: bounded, in order, the same text however it lies in the ring.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { lineSplitter } from "../../src/drivers/line-splitter.ts";
import { logRing } from "../../src/drivers/log-ring.ts";
import type { LogLine } from "../../src/ports/control.ts";
import type { Log, Output } from "../../src/ports/log.ts";
import { linesOf } from "../fakes/lines.ts";

const AT_MS = 1_000_000;

function open(bytesMax = 64 * 1024) {
  const passedOn: string[] = [];
  const record = (message: string): void => void passedOn.push(message);
  const log: Log = { debug: record, info: record, warn: record, error: record };
  const output: Output = {
    open: () => ({
      write: (lines) => void passedOn.push(lines.text(0)),
      end: () => void passedOn.push("end"),
    }),
    isFull: () => false,
    drained: () => Promise.resolve(),
  };
  const ring = logRing({ bytesMax, wallTime: () => AT_MS });
  return { ring, ...ring.keeping({ log, output }), passedOn };
}

const texts = (lines: readonly LogLine[]): string[] => lines.map(({ text }) => text);

test("lines of both streams and records about the service are kept in order, with number, time and part", () => {
  const { ring, log, output } = open();
  const out = output.open("api", "stdout");
  out.write(linesOf(["a", "b"]));
  output.open("api", "stderr").write(linesOf(["c"]));
  log.warn("unready:\nwhy", { service: "api" });
  out.write(linesOf(["long"], 2));
  output.open("other", "stdout").write(linesOf(["x"]));
  const common = { atMs: AT_MS, service: "api" };
  assert.deepEqual(ring.read("api"), [
    { ...common, seq: 1, stream: "stdout", text: "a" },
    { ...common, seq: 2, stream: "stdout", text: "b" },
    { ...common, seq: 3, stream: "stderr", text: "c" },
    { ...common, seq: 4, stream: "runtime", text: "unready:\nwhy" },
    { ...common, seq: 5, stream: "stdout", text: "long", part: 2 },
  ]);
  assert.deepEqual(texts(ring.read("api", { tail: 2 })), ["unready:\nwhy", "long"]);
  assert.deepEqual(texts(ring.read("api", { tail: 4 })), ["b", "c", "unready:\nwhy", "long"]);
  assert.deepEqual(ring.read("api", { tail: 0 }), []);
  assert.deepEqual(ring.read("nobody"), []);
});

test("everything is passed on; records about no service and those for debugging are not kept", () => {
  const { ring, log, output, passedOn } = open();
  log.info("listening");
  log.debug("starting", { service: "api" });
  const out = output.open("api", "stdout");
  out.write(linesOf(["a"]));
  out.end();
  assert.deepEqual(passedOn, ["listening", "starting", "a", "end"]);
  assert.deepEqual(texts(ring.read("api")), ["a"]);
});

test("a follower is shown what comes, of its services, until it has had enough", () => {
  const { ring, log, output } = open();
  const seen: LogLine[] = [];
  const out = output.open("api", "stdout");
  out.write(linesOf(["before"]));
  const end = ring.follow(["api", "worker"], (line) => seen.push(line));
  out.write(linesOf(["a", "b"]));
  output.open("other", "stdout").write(linesOf(["x"]));
  log.info("ready", { service: "worker" });
  end();
  out.write(linesOf(["after"]));
  assert.deepEqual(
    seen.map(({ seq, service, text }) => [seq, service, text]),
    [
      [2, "api", "a"],
      [3, "api", "b"],
      [1, "worker", "ready"],
    ],
  );
});

test("the oldest make room, and the numbers go on", () => {
  const { ring, output } = open(8 * 1024);
  const out = output.open("api", "stdout");
  for (let index = 1; index <= 10_000; index++) out.write(linesOf([`line ${index}`]));
  const kept = ring.read("api");
  assert.ok(kept.length > 20 && kept.length < (8 * 1024) / 128, `${kept.length} lines`);
  const first = 10_000 - kept.length + 1;
  assert.deepEqual(
    kept.map(({ seq, text }) => [seq, text]),
    kept.map((_, index) => [first + index, `line ${first + index}`]),
  );
});

test("lines that come together fill most of the ring, and a line that is larger than it is left out", () => {
  const { ring, output } = open(16 * 1024);
  const out = output.open("api", "stdout");
  out.write(linesOf(Array.from({ length: 1000 }, (_, index) => `${index} ${"x".repeat(95)}`)));
  const kept = ring.read("api");
  assert.ok(kept.length > 120 && kept.length < 164, `${kept.length} lines`);
  assert.match(kept.at(-1)?.text ?? "", /^999 /);
  out.write(linesOf(["y".repeat(20_000)]));
  out.write(linesOf(["z"]));
  assert.deepEqual(
    ring.read("api", { tail: 2 }).map(({ seq, text }) => [seq, text.slice(0, 4)]),
    [
      [1000, "999 "],
      [1002, "z"],
    ],
  );
});

test("what is kept reads the same as it came, whatever its bytes and however it lies around the end", () => {
  const line = fc.oneof(
    fc.string({ unit: "grapheme", maxLength: 40 }),
    fc.constantFrom("", "\r", "a\r", "x".repeat(700), "€".repeat(30)),
    fc.uint8Array({ maxLength: 20 }),
  );
  const write = fc.array(line, { minLength: 1, maxLength: 20 });
  const bytesMax = 4096;
  fc.assert(
    fc.property(fc.array(write, { maxLength: 40 }), fc.constantFrom("\n", "\r\n"), (writes, end) => {
      const { ring, output } = open(bytesMax);
      const seen: string[] = [];
      const out = output.open("api", "stdout");
      const splitter = lineSplitter((lines) => {
        for (let index = 0; index < lines.count; index++) seen.push(lines.text(index));
        out.write(lines);
      });
      for (const lines of writes) {
        const each = lines.map((bytes) => Buffer.from(bytes as string));
        splitter.push(Buffer.concat(each.flatMap((bytes) => [bytes, Buffer.from(end)])));
      }
      const kept = ring.read("api");
      assert.deepEqual(texts(kept), kept.length === 0 ? [] : seen.slice(-kept.length));
      const bytes = kept.reduce((sum, { text }) => sum + text.length, 0);
      assert.ok(bytes <= bytesMax, `${bytes} bytes kept`);
      if (seen.length > 0) assert.equal(kept.at(-1)?.seq, seen.length);
      const tail = ring.read("api", { tail: 3 });
      assert.deepEqual(tail, kept.slice(-3));
    }),
    { numRuns: 300 },
  );
});
