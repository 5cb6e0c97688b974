// What a process writes to one of its streams, on its way to the log: cut into lines, shown to the probes that read them, and
// left in the pipe while the log is full.
import { lineSplitter } from "../drivers/line-splitter.ts";
import type { Output, OutputStream } from "../ports/log.ts";
import type { ByteSink } from "../ports/spawn.ts";

/** Reads the lines of one service. */
export interface LineReader {
  observe(line: string): void;
  /** It has seen what it was looking for: it need not be shown more until it is reset. */
  readonly passed: boolean;
  /** A new incarnation begins. */
  reset(): void;
}

export interface LineSinkOptions {
  /** The service's name. */
  name: string;
  output: Output;
  readers: readonly LineReader[];
}

/** How much is taken in between two looks at whether the log has room. */
const SLICE_BYTES = 64 * 1024;

export function lineSink(stream: OutputStream, { name, output, readers }: LineSinkOptions): ByteSink {
  const sink = output.open(name, stream);
  const splitter = lineSplitter((lines) => {
    sink.write(lines);
    for (const reader of readers)
      for (let index = 0; index < lines.count && !reader.passed; index++) reader.observe(lines.text(index));
  });

  /** Takes in what there is room for; returns how much that was. */
  const take = (chunk: Uint8Array, from: number): number => {
    let at = from;
    for (; at < chunk.length && !output.isFull(); at += SLICE_BYTES)
      splitter.push(chunk.subarray(at, at + SLICE_BYTES));
    return at;
  };

  const takeRest = async (chunk: Uint8Array, from: number): Promise<void> => {
    for (let at = from; at < chunk.length; at = take(chunk, at)) await output.drained();
  };

  return {
    write(chunk) {
      const taken = take(chunk, 0);
      return taken < chunk.length ? takeRest(chunk, taken) : undefined;
    },
    end() {
      splitter.end();
      sink.end();
    },
  };
}
