// The one way out for records and output: a file descriptor written to without ever blocking the event loop. What is written
// in one turn leaves in one call; memory is bounded by asking the sources to wait, and it never throws when the reader is gone.
import { fstatSync, write } from "node:fs";

/** Above this many waiting characters writers are told to wait. */
const WAITING_CHARS_MAX = 1024 * 1024;
/** Above this many, what writers that cannot wait still bring is lost, and counted. */
const HELD_CHARS_MAX = 16 * 1024 * 1024;
/** A full non-blocking pipe is tried again after this long. */
const RETRY_MS = 5;

export interface Stdout {
  readonly terminal: boolean;
  /** Takes the text; false asks the writer to wait for `drained`. */
  write(text: string): boolean;
  /** Resolves when there is room again. */
  drained(): Promise<void>;
  /** Resolves when all that was written has left the process, or nobody is there to read it. */
  flush(): Promise<void>;
}

export interface StdoutOptions {
  /** Default 1. */
  fd?: number;
  /** Told, once there is room again, how many writes were lost to a reader that did not read. */
  onLost: (writes: number) => void;
}

export function openStdout({ fd = 1, onLost }: StdoutOptions): Stdout {
  let waiting = "";
  let lost = 0;
  let pumping: Promise<void> | undefined;
  let gone = false;
  let room = Promise.withResolvers<void>();

  const pump = async (): Promise<void> => {
    // What else comes in this turn goes along.
    await new Promise((next) => setImmediate(next));
    while (waiting !== "") {
      const batch = Buffer.from(waiting);
      waiting = "";
      room.resolve();
      room = Promise.withResolvers();
      gone ||= !(await writeAll(fd, batch));
      if (lost > 0) onLost(lost);
      lost = 0;
    }
    pumping = undefined;
  };

  return {
    get terminal() {
      return isTerminal(fd);
    },
    write(text) {
      if (gone) return true;
      if (waiting.length > HELD_CHARS_MAX) lost++;
      else waiting += text;
      pumping ??= pump();
      return waiting.length <= WAITING_CHARS_MAX;
    },
    drained: () => (waiting === "" ? Promise.resolve() : room.promise),
    flush: () => pumping ?? Promise.resolve(),
  };
}

function isTerminal(fd: number): boolean {
  try {
    // What can tell takes as long to load as a tenth of a boot, and most outputs are pipes.
    return fstatSync(fd).isCharacterDevice() && process.getBuiltinModule("node:tty").isatty(fd);
  } catch {
    return false;
  }
}

/** How many of the bytes were taken. */
function writeSome(fd: number, bytes: Buffer): Promise<number> {
  return new Promise((resolve, reject) =>
    write(fd, bytes, (error, count) => (error ? reject(error) : resolve(count))),
  );
}

/** False when the reader is gone for good. */
async function writeAll(fd: number, bytes: Buffer): Promise<boolean> {
  let done = 0;
  while (done < bytes.length) {
    try {
      done += await writeSome(fd, bytes.subarray(done));
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      if (code === "EAGAIN") await new Promise((retry) => setTimeout(retry, RETRY_MS));
      // A full disk may have room again; these bytes are lost.
      else return code === "ENOSPC";
    }
  }
  return true;
}
