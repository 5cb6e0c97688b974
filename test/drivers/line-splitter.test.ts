// Lines out of bytes, however the bytes are cut: nothing is lost, nothing is added, nothing grows without bound.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { lineSplitter, PIECE_BYTES_MAX } from "../../src/drivers/line-splitter.ts";

type Piece = [text: string, part?: number];

function split(...chunks: (Uint8Array | string)[]): Piece[] {
  const pieces: Piece[] = [];
  const splitter = lineSplitter((lines) => {
    for (let index = 0; index < lines.count; index++) {
      const text = lines.text(index);
      pieces.push(lines.part === 0 ? [text] : [text, lines.part]);
    }
  });
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

test("a long line in CRLF is cut as one in LF", () => {
  const full = "x".repeat(PIECE_BYTES_MAX);
  assert.deepEqual(split(`${full}\r`, "\nz\r\n"), [[full], ["z"]]);
  assert.deepEqual(split(full, "y", "\r", "\n"), [
    [full, 1],
    ["y", 2],
  ]);
  assert.deepEqual(split(full, "\r"), [
    [full, 1],
    ["\r", 2],
  ]);
});

test("a chunk of very many short lines comes whole and in order", () => {
  const numbers = Array.from({ length: 5000 }, (_, index) => String(index));
  assert.deepEqual(
    split(`${numbers.join("\n")}\n`).map(([text]) => text),
    numbers,
  );
});

test("what a listener throws leaves nothing behind for the next line", () => {
  const seen: string[] = [];
  const splitter = lineSplitter((lines) => {
    seen.push(lines.text(0));
    if (seen.length === 1) throw new Error("no");
  });
  assert.throws(() => splitter.push(Buffer.from("a\n")));
  splitter.push(Buffer.from("b\n"));
  assert.deepEqual(seen, ["a", "b"]);
});

test("a long line without end is handed out before it ends", () => {
  let seen = 0;
  const splitter = lineSplitter((lines) => void (seen += lines.text(0).length));
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

test("pieces of any bytes at all concatenate to the text of the line", () => {
  const odd = fc.constantFrom(0x80, 0xbf, 0xc3, 0xe2, 0xed, 0xf0, 0xf4, 0xff, 0x61, 0x00);
  const run = fc.array(odd, { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(run, fc.nat(12), fc.nat(140_000), (bytes, shift, cutAt) => {
      const line = Buffer.concat([Buffer.alloc(shift, "a"), Buffer.alloc(140_000, Buffer.from(bytes))]);
      const pieces = split(line.subarray(0, cutAt), line.subarray(cutAt), "\n");
      assert.deepEqual(
        pieces.map(([, part]) => part),
        [1, 2, 3],
      );
      assert.ok(
        pieces.map(([text]) => text).join("") === new TextDecoder("utf-8", { ignoreBOM: true }).decode(line),
      );
    }),
    { numRuns: 100 },
  );
});

test("plain is a line that JSON would write as it is", () => {
  const odd = fc.oneof(fc.integer({ min: 0x20, max: 0x7f }), fc.integer({ min: 0, max: 0xff }));
  const line = fc.array(fc.oneof({ weight: 30, arbitrary: fc.constant(0x61) }, odd), { maxLength: 40 });
  fc.assert(
    fc.property(fc.array(line, { minLength: 1, maxLength: 5 }), fc.nat(4), (bytes, shift) => {
      const expected = bytes.flatMap((each) => Buffer.from(each).toString("latin1").split("\n"));
      const seen: boolean[] = [];
      const splitter = lineSplitter((lines) => {
        for (let index = 0; index < lines.count; index++) seen.push(lines.plain[index] === 1);
      });
      // The memory of a chunk begins anywhere.
      const memory = Buffer.concat([
        Buffer.alloc(shift),
        ...bytes.flatMap((each) => [Buffer.from(each), Buffer.from("\n")]),
      ]);
      splitter.push(memory.subarray(shift));
      assert.deepEqual(
        seen,
        expected.map((text) => /^[ !#-[\]-\x7f]*$/.test(text.replace(/\r$/, ""))),
      );
    }),
    { numRuns: 2000 },
  );
});
