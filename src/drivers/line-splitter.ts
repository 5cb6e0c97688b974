// Finds the lines in chunks of bytes and leaves them bytes: text is made of those that need it, by whoever needs it. Nothing is
// lost: a last line without newline, NUL and invalid UTF-8 come through, and a line over 64 KiB comes in pieces. It holds at
// most one piece of a line.
import type { Lines } from "../ports/log.ts";

/** The most bytes in one piece of a line. */
export const PIECE_BYTES_MAX = 64 * 1024;
/** How many lines are handed over at a time. */
const LINES_MAX = 1024;
/** What is kept of the memory for a line's beginning once the line has ended. */
const KEPT_BYTES_MAX = 16 * 1024;

const NO_BYTES = Buffer.alloc(0);
const LF = 10;
const CR = 13;
/** 1 for what JSON has to escape, and for all that is not ASCII. */
const SPECIAL = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte < 0x20 || byte === 0x22 || byte === 0x5c || byte >= 0x80 ? 1 : 0,
);

export interface LineSplitter {
  push(chunk: Uint8Array): void;
  /** No more will come: hands out what has no newline. */
  end(): void;
}

/** One for all splitters: it is full only while its lines are handed over. */
class Batch implements Lines {
  bytes: Buffer = NO_BYTES;
  count = 0;
  part = 0;
  readonly starts = new Int32Array(LINES_MAX);
  readonly ends = new Int32Array(LINES_MAX);
  readonly plain = new Uint8Array(LINES_MAX);

  text(index: number): string {
    return this.bytes.toString("utf8", this.starts[index], this.ends[index]);
  }

  add(start: number, end: number, plain: boolean): void {
    this.starts[this.count] = start;
    this.ends[this.count] = end;
    this.plain[this.count++] = plain ? 1 : 0;
  }
}

const batch = new Batch();

/** Calls `onLines` with the lines, without their LF or CRLF, in order. */
export function lineSplitter(onLines: (lines: Lines) => void): LineSplitter {
  return new Splitter(onLines);
}

class Splitter implements LineSplitter {
  readonly #onLines: (lines: Lines) => void;
  /** The beginning of a line whose end has not come: its first `held` bytes. */
  #rest: Buffer = NO_BYTES;
  #held = 0;
  /** How many pieces of the present line have been handed out. */
  #parts = 0;

  constructor(onLines: (lines: Lines) => void) {
    this.#onLines = onLines;
  }

  push(chunk: Uint8Array): void {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    let from = 0;
    let at = bytes.indexOf(LF);
    if (this.#held > 0 && at !== -1) {
      this.#keep(bytes, 0, at);
      this.#finish(this.#rest, 0, this.#held);
      this.#handOver(this.#rest);
      this.#held = 0;
      if (this.#rest.length > KEPT_BYTES_MAX) this.#rest = NO_BYTES;
      from = at + 1;
      at = bytes.indexOf(LF, from);
    }
    for (; at !== -1; at = bytes.indexOf(LF, from)) {
      this.#finish(bytes, from, at);
      from = at + 1;
    }
    this.#handOver(bytes);
    if (from < bytes.length) this.#keepRest(bytes, from);
  }

  end(): void {
    if (this.#held > 0) {
      // A CR at the very end is the line's own.
      const start = this.#cut(this.#rest, { from: 0, to: this.#held, leaveMax: PIECE_BYTES_MAX });
      batch.add(start, this.#held, isPlain(this.#rest, start, this.#held));
      this.#handOver(this.#rest, this.#parts === 0 ? 0 : this.#parts + 1);
    }
    this.#rest = NO_BYTES;
    this.#held = 0;
    this.#parts = 0;
  }

  #handOver(bytes: Buffer, part = 0): void {
    if (batch.count === 0) return;
    batch.bytes = bytes;
    batch.part = part;
    try {
      this.#onLines(batch);
    } finally {
      batch.count = 0;
    }
  }

  /** A whole line, or the last piece of one. */
  #finish(bytes: Buffer, from: number, to: number): void {
    const end = to > from && bytes[to - 1] === CR ? to - 1 : to;
    if (this.#parts === 0 && end - from <= PIECE_BYTES_MAX) {
      batch.add(from, end, isPlain(bytes, from, end));
      if (batch.count === LINES_MAX) this.#handOver(bytes);
      return;
    }
    this.#handOver(bytes);
    const start = this.#cut(bytes, { from, to: end, leaveMax: PIECE_BYTES_MAX });
    batch.add(start, end, isPlain(bytes, start, end));
    this.#handOver(bytes, this.#parts + 1);
    this.#parts = 0;
  }

  /** Hands out pieces of a line until at most `leaveMax` bytes of it are left; returns where those begin. */
  #cut(bytes: Buffer, { from, to, leaveMax }: { from: number; to: number; leaveMax: number }): number {
    let start = from;
    while (to - start > leaveMax) {
      const end = characterEnd(bytes, start + PIECE_BYTES_MAX);
      batch.add(start, end, isPlain(bytes, start, end));
      this.#handOver(bytes, ++this.#parts);
      start = end;
    }
    return start;
  }

  /** Two bytes may be left over a full piece: a CR that is none of the line's, and one that makes the last piece no empty one. */
  #keepRest(bytes: Buffer, from: number): void {
    const leaveMax = PIECE_BYTES_MAX + 1;
    this.#keep(
      bytes,
      this.#held > 0 ? from : this.#cut(bytes, { from, to: bytes.length, leaveMax }),
      bytes.length,
    );
    const left = this.#cut(this.#rest, { from: 0, to: this.#held, leaveMax });
    if (left > 0) this.#held = this.#rest.copy(this.#rest, 0, left, this.#held);
  }

  #keep(bytes: Buffer, from: number, to: number): void {
    const size = this.#held + to - from;
    if (this.#rest.length < size) {
      const larger = Buffer.allocUnsafeSlow(Math.max(size, this.#rest.length * 2, 256));
      this.#rest.copy(larger, 0, 0, this.#held);
      this.#rest = larger;
    }
    bytes.copy(this.#rest, this.#held, from, to);
    this.#held = size;
  }
}

/** Where a piece that is to end at `at` has to end to cut no character: up to three bytes earlier. */
function characterEnd(bytes: Uint8Array, at: number): number {
  if (!isContinuation(bytes[at])) return at;
  for (let start = at - 1; start >= at - 3; start--) {
    const byte = bytes[start] ?? 0;
    if (isContinuation(byte)) continue;
    const size = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return start + size > at ? start : at;
  }
  return at;
}

const isContinuation = (byte = 0): boolean => (byte & 0xc0) === 0x80;

/**
 * Four bytes at a time, as in "Determine if a word has a byte less than n" of Sean Anderson's Bit Twiddling Hacks: this look at
 * every byte is most of what a line costs.
 */
function isPlain(bytes: Uint8Array, from: number, to: number): boolean {
  let at = from;
  const { byteOffset } = bytes;
  for (; at < to && ((byteOffset + at) & 3) !== 0; at++) if (SPECIAL[bytes[at] ?? 0] === 1) return false;
  const words = wordsOf(bytes.buffer);
  for (; at + 4 <= to; at += 4) {
    const word = words[(byteOffset + at) >> 2] ?? 0;
    const control = word - 0x20202020;
    const quote = (word ^ 0x22222222) - 0x01010101;
    const backslash = (word ^ 0x5c5c5c5c) - 0x01010101;
    if (((word | control | quote | backslash) & 0x80808080) !== 0) return false;
  }
  for (; at < to; at++) if (SPECIAL[bytes[at] ?? 0] === 1) return false;
  return true;
}

let lastWords = new Int32Array(0);

function wordsOf(buffer: ArrayBufferLike): Int32Array {
  if (lastWords.buffer !== buffer)
    lastWords = new Int32Array(buffer as ArrayBuffer, 0, buffer.byteLength >> 2);
  return lastWords;
}
