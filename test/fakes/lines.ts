// Lines as a splitter would hand them over, without one.
import type { Lines } from "../../src/ports/log.ts";

export function linesOf(texts: readonly (string | Uint8Array)[], part = 0): Lines {
  const each = texts.map((text) => Buffer.from(text as string));
  const bytes = Buffer.concat(each.flatMap((line) => [line, Buffer.from("\n")]));
  const starts = new Int32Array(each.length);
  const ends = new Int32Array(each.length);
  let at = 0;
  each.forEach((line, index) => {
    starts[index] = at;
    ends[index] = at + line.length;
    at += line.length + 1;
  });
  return {
    bytes,
    count: each.length,
    starts,
    ends,
    plain: Uint8Array.from(each, (line) => (/^[ !#-[\]-~]*$/.test(line.toString("latin1")) ? 1 : 0)),
    part,
    text: (index) => bytes.toString("utf8", starts[index], ends[index]),
  };
}
