// A file descriptor of this process that others read: a pipe, a terminal, a file. It is written to without ever blocking the
// event loop, and a reader that is gone is no error.
import { closeSync, constants, fstat, fstatSync, openSync, write, writeSync } from "node:fs";

/** A full non-blocking pipe is tried again after this long at first, and then ever less often. */
const RETRY_MS_MIN = 1;
const RETRY_MS_MAX = 20;
/** A full disk does not get room that fast. */
const FULL_DISK_RETRY_MS = 500;

export interface Stdout {
  readonly terminal: boolean;
  /** Resolves when all has left the process, or nobody is there to read it. Never rejects; one call at a time. */
  write(bytes: Buffer): Promise<void>;
  /** What goes without waiting for a reader, at once: for a process that ends now. Never throws. */
  writeNow(bytes: Buffer): void;
}

export interface StdoutOptions {
  /** Default 1. */
  fd?: number;
  /** Called once, when the reader has gone for good; nothing is written from then on. */
  onGone: (reason: string) => void;
}

export function openStdout({ fd = 1, onGone }: StdoutOptions): Stdout {
  let gone = false;
  let writing = false;
  // What Deno writes to one of its own three descriptors blocks it, however it is asked.
  const target = ("Deno" in globalThis ? unblocked(fd) : undefined) ?? fd;
  // Writing takes a thread. It is made now, since services may leave no room for one: then nothing would ever be written.
  fstat(fd, () => {});
  return {
    get terminal() {
      return isTerminal(fd);
    },
    async write(bytes) {
      if (gone) return;
      writing = true;
      const reason = await writeAll(target, bytes);
      writing = false;
      if (reason === undefined) return;
      gone = true;
      onGone(reason);
    },
    writeNow(bytes) {
      if (gone || bytes.length === 0) return;
      const own = unblocked(fd);
      // A write that is under way may be waiting for a reader who never comes.
      if (own === undefined && writing) return;
      try {
        let left = own === undefined && mayBlock(fd) ? wholeLines(bytes) : bytes;
        while (left.length > 0) left = left.subarray(writeSync(own ?? fd, left));
      } catch {
        // It is full, or nobody reads it.
      }
      if (own !== undefined) closeSync(own);
    },
  };
}

/** What surely has room where nothing waits, up to the end of a line. */
const ROOM_BYTES = 64 * 1024;

function wholeLines(bytes: Buffer): Buffer {
  return bytes.length <= ROOM_BYTES ? bytes : bytes.subarray(0, bytes.lastIndexOf("\n", ROOM_BYTES - 1) + 1);
}

function mayBlock(fd: number): boolean {
  return !fstatSync(fd).isFile();
}

/** The same pipe as a descriptor that never waits; undefined where that is not to be had, as of another user's pipe. */
function unblocked(fd: number): number | undefined {
  try {
    if (!fstatSync(fd).isFIFO()) return undefined;
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
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

/** Gives a reason when the reader is gone for good. */
async function writeAll(fd: number, bytes: Buffer): Promise<string | undefined> {
  let done = 0;
  let retryMs = RETRY_MS_MIN;
  while (done < bytes.length) {
    try {
      done += await writeSome(fd, bytes.subarray(done));
      retryMs = RETRY_MS_MIN;
    } catch (error) {
      const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
      if (code !== "EAGAIN" && code !== "ENOSPC") return code;
      const pauseMs = code === "ENOSPC" ? FULL_DISK_RETRY_MS : retryMs;
      await new Promise((retry) => setTimeout(retry, pauseMs));
      retryMs = Math.min(retryMs * 2, RETRY_MS_MAX);
    }
  }
  return undefined;
}
