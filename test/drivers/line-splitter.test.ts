// Lines out of bytes, however the bytes are cut: nothing is lost, nothing is added, nothing grows without bound.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { lineSplitter, PIECE_BYTES_MAX } from "../../src/drivers/line-splitter.ts";

type Piece = [text: string, part?: number];

function split(...chunks: (Uint8Array | string)[]): Piece[] {
  const pieces: Piece[] = [];
  const splitter = lineSplitter((text, part) => pieces.push(part === undefined ? [text] : [text, part]));
  for (const chunk of chunks) splitter.push(typeof chunk === "string" ? Buffer.from(chunk) : chunk);
  splitter.end();
  return pieces;
}

test("lines are handed out without LF or CRLF", () => {
  assert.deepEqual(split("a\nb\r\n\n"), [["a"], ["b"], [""]]);
});

test("a CR inside a line stays", () => {
  assert.deepEqual(split("10%\r20%\r", "\n"), [["10%\r20%"]]);
});

test("a last line without newline is handed out at the end, and an empty one is not", () => {
  assert.deepEqual(split("a\n", "b", "c"), [["a"], ["bc"]]);
  assert.deepEqual(split("a\n"), [["a"]]);
  assert.deepEqual(split(), []);
});

test("NUL, BOM and escape sequences come through", () => {
  assert.deepEqual(split("\uFEFFa\0b\x1b[31m\n"), [["\uFEFFa\0b\x1b[31m"]]);
});

test("invalid UTF-8 becomes U+FFFD, a cut character does not", () => {
  const euro = Buffer.from("€");
  assert.deepEqual(split(euro.subarray(0, 1), euro.subarray(1), "\n"), [["€"]]);
  assert.deepEqual(split(Buffer.from([0x61, 0xff, 0x62, 0x0a])), [["a\uFFFDb"]]);
  assert.deepEqual(split(euro.subarray(0, 2), "\n", euro.subarray(0, 1)), [["\uFFFD"], ["\uFFFD"]]);
});

test("a line of exactly the limit is one piece, one byte more is two", () => {
  const full = "x".repeat(PIECE_BYTES_MAX);
  assert.deepEqual(split(`${full}\n`), [[full]]);
  assert.deepEqual(split(`${full}y\nz\n`), [[full, 1], ["y", 2], ["z"]]);
});

test("a long line without end is handed out before it ends", () => {
  let seen = 0;
  const splitter = lineSplitter((text) => void (seen += text.length));
  const chunk = Buffer.alloc(10_000, "x");
  let pushed = 0;
  for (let index = 0; index < 100; index++) {
    splitter.push(chunk);
    pushed += chunk.length;
    assert.ok(pushed - seen <= PIECE_BYTES_MAX + chunk.length, `holds ${pushed - seen} bytes`);
  }
});

test("pieces concatenate to the line, cut between characters, however the bytes arrive", () => {
  const text = fc.array(
    fc.oneof(
      fc.string({ unit: "grapheme" }),
      fc.constantFrom("\n", "\r\n", "€".repeat(30_000), "😀".repeat(20_000)),
    ),
    { maxLength: 12 },
  );
  const cuts = fc.array(fc.nat(100_000), { maxLength: 6 });
  fc.assert(
    fc.property(text, cuts, (texts, sizes) => {
      const whole = texts.join("");
      let bytes: Uint8Array = Buffer.from(whole);
      const chunks: Uint8Array[] = [];
      for (const size of sizes) {
        chunks.push(bytes.subarray(0, size));
        bytes = bytes.subarray(size);
      }
      const lines: string[] = [];
      for (const [piece, part] of split(...chunks, bytes)) {
        assert.ok(Buffer.byteLength(piece) <= PIECE_BYTES_MAX);
        if (part === undefined || part === 1) lines.push(piece);
        else lines.push(`${lines.pop()}${piece}`);
      }
      const expected = whole.split(/\r?\n/);
      if (expected.at(-1) === "") expected.pop();
      assert.deepEqual(lines, expected);
    }),
    { numRuns: 200 },
  );
});
