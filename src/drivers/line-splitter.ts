// Turns chunks of bytes into lines of text. Nothing is lost: a last line without newline, NUL and invalid UTF-8 (as U+FFFD)
// come through, and a line over 64 KiB comes in pieces. It holds one piece and the chunk at hand, never a whole long line.

/** The most bytes of UTF-8 in one piece of a line. */
export const PIECE_BYTES_MAX = 64 * 1024;
/** A UTF-16 unit takes three bytes of UTF-8 at most, so anything this short fits without measuring. */
const UNITS_SURE_TO_FIT = Math.floor(PIECE_BYTES_MAX / 3);

const encoder = new TextEncoder();
const scratch = new Uint8Array(PIECE_BYTES_MAX);

export interface LineSplitter {
  push(chunk: Uint8Array): void;
  /** No more will come: hands out what has no newline. */
  end(): void;
}

/**
 * Calls `onLine` for each line, without its LF or CRLF. A line over {@link PIECE_BYTES_MAX} is cut between characters into
 * pieces that concatenate to it, with `part` counting from 1.
 */
export function lineSplitter(onLine: (text: string, part?: number) => void): LineSplitter {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  let rest = "";
  let parts = 0;

  /** Hands out full pieces from the front of `text`; returns what is left, at most one piece. */
  const cut = (text: string): string => {
    let left = text;
    while (left.length > UNITS_SURE_TO_FIT) {
      const { read } = encoder.encodeInto(left, scratch);
      if (read === left.length) break;
      onLine(left.slice(0, read), ++parts);
      left = left.slice(read);
    }
    return left;
  };

  const emit = (text: string): void => {
    if (parts === 0) onLine(text);
    else onLine(text, parts + 1);
    parts = 0;
  };

  const take = (text: string): void => {
    let from = 0;
    for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", from)) {
      const line = rest + text.slice(from, at);
      emit(cut(line.endsWith("\r") ? line.slice(0, -1) : line));
      rest = "";
      from = at + 1;
    }
    rest = cut(rest + text.slice(from));
  };

  return {
    push: (chunk) => take(decoder.decode(chunk, { stream: true })),
    end() {
      take(decoder.decode());
      if (rest !== "") emit(rest);
      rest = "";
    },
  };
}
