// A log file that is turned over by size: `log` becomes `log.1`, `log.1` becomes `log.2`, and so on, each by a rename, so that a
// crash loses nothing. It notices within a second when somebody else has moved, removed or emptied the file. A disk that is full
// never stops it: what cannot be written is counted, and it is tried again every second.
import { closeSync, fstatSync, ftruncateSync, mkdirSync, openSync, readSync } from "node:fs";
import { renameSync, rmSync, statSync, write, writeSync } from "node:fs";
import { mayNotWrite, messageOf } from "../errors.ts";

export interface LogFileOptions {
  /** Absolute. */
  path: string;
  /** It is turned over when it would grow above this. A single line may be longer. */
  maxBytes: number;
  /** How many old ones stay. */
  keep: number;
  /** Called once when something begins to fail, with what and why. */
  onTrouble: (message: string) => void;
  /** Called once when it works again, with what is missing. */
  onRecovered: (lostLines: number) => void;
}

export interface LogFile {
  /** Appends whole lines. Never rejects; one call at a time. */
  write(bytes: Buffer): Promise<void>;
  /** The same at once, for a process that ends now, and without turning over. Never throws. */
  writeNow(bytes: Buffer): void;
}

/** How often to look whether the file is still in its place, and to try again what failed. */
const LOOK_MS = 1000;
const LF = 10;

/** Throws, with the reason and what to do, when the file cannot be opened. */
export function openLogFile(options: LogFileOptions): LogFile {
  const { path } = options;
  try {
    const isOther = statSync(path, { throwIfNoEntry: false })?.isFile() === false;
    if (!isOther) return new RotatedFile(options);
  } catch (error) {
    throw new Error(problemWith(path, error), { cause: error });
  }
  throw new Error("it exists and is not a file; name another");
}

class RotatedFile implements LogFile {
  readonly #options: LogFileOptions;
  #fd: number;
  #size = 0;
  #lookedMs = performance.now();
  /** What fails at the moment, and since when it has not been tried. */
  #failing: { triedMs: number; lostLines: number } | undefined;
  /** When turning over failed last; until it works the file grows. */
  #unturnedMs: number | undefined;

  constructor(options: LogFileOptions) {
    this.#options = options;
    this.#fd = this.#open();
  }

  async write(bytes: Buffer): Promise<void> {
    let left = bytes;
    while (left.length > 0) {
      if (this.#failing && performance.now() - this.#failing.triedMs < LOOK_MS) {
        this.#failing.lostLines += linesIn(left);
        return;
      }
      try {
        if (performance.now() - this.#lookedMs >= LOOK_MS) this.#look();
        const count = this.#countThatFits(left);
        if (count === 0) this.#turnOver();
        else left = left.subarray(await this.#append(left.subarray(0, count)));
      } catch (error) {
        this.#fail(error);
      }
    }
  }

  writeNow(bytes: Buffer): void {
    try {
      writeSync(this.#fd, bytes);
    } catch {
      // Nobody could be told any more.
    }
  }

  /** How many of the bytes go into this file: whole lines; 0 when it is to be turned over first. */
  #countThatFits(bytes: Buffer): number {
    const room = this.#options.maxBytes - this.#size;
    if (bytes.length <= room) return bytes.length;
    if (this.#unturnedMs !== undefined && performance.now() - this.#unturnedMs < LOOK_MS) return bytes.length;
    const fitting = room > 0 ? bytes.lastIndexOf(LF, room - 1) + 1 : 0;
    return fitting > 0 || this.#size > 0 ? fitting : bytes.indexOf(LF) + 1;
  }

  /** Resolves with how many bytes are in the file: all, or, when it rejected the rest, those of whole lines. */
  async #append(bytes: Buffer): Promise<number> {
    let done = 0;
    try {
      while (done < bytes.length) done += await writeSome(this.#fd, bytes.subarray(done));
    } catch (error) {
      const whole = done === 0 ? 0 : bytes.lastIndexOf(LF, done - 1) + 1;
      // Half a line would spoil the next one.
      ftruncateSync(this.#fd, this.#size + whole);
      this.#size += whole;
      this.#fail(error);
      return whole;
    }
    this.#size += done;
    this.#recover();
    return done;
  }

  #turnOver(): void {
    const { path, keep } = this.#options;
    const size = this.#size;
    this.#look();
    // It is another file, or not that large any more.
    if (this.#size < size) return;
    try {
      for (let age = keep - 1; age >= 1; age--) renameIfThere(`${path}.${age}`, `${path}.${age + 1}`);
      if (keep > 0) renameIfThere(path, `${path}.1`);
      else rmSync(path, { force: true });
    } catch (error) {
      if (this.#unturnedMs === undefined)
        this.#options.onTrouble(
          `cannot turn over the log file ${path}: ${problemWith(folderOf(path), error)}; it grows until that works`,
        );
      this.#unturnedMs = performance.now();
      return;
    }
    this.#unturnedMs = undefined;
    this.#reopen();
  }

  /** Somebody may have moved the file away, or emptied it. */
  #look(): void {
    this.#lookedMs = performance.now();
    const there = statSync(this.#options.path, { throwIfNoEntry: false });
    const own = fstatSync(this.#fd);
    this.#size = own.size;
    if (there?.ino !== own.ino || there.dev !== own.dev) this.#reopen();
  }

  /** The old one stays open until there is a new one. */
  #reopen(): void {
    const old = this.#fd;
    this.#fd = this.#open();
    closeSync(old);
  }

  #open(): number {
    const { path } = this.#options;
    mkdirSync(`${folderOf(path)}/`, { recursive: true });
    const fd = openSync(path, "a+", 0o640);
    this.#size = fstatSync(fd).size;
    this.#endLastLine(fd);
    return fd;
  }

  /** Whoever wrote it before may have been killed in the middle of a line. */
  #endLastLine(fd: number): void {
    const last = Buffer.alloc(1);
    if (this.#size === 0 || readSync(fd, last, 0, 1, this.#size - 1) === 0 || last[0] === LF) return;
    this.#size += writeSync(fd, "\n");
  }

  #fail(error: unknown): void {
    const isNews = this.#failing === undefined;
    this.#failing = { triedMs: performance.now(), lostLines: this.#failing?.lostLines ?? 0 };
    if (!isNews) return;
    const { path, onTrouble } = this.#options;
    onTrouble(
      `cannot write the log file ${path}: ${problemWith(path, error)}; going on without it, trying again every second`,
    );
  }

  #recover(): void {
    if (this.#failing === undefined) return;
    const { lostLines } = this.#failing;
    this.#failing = undefined;
    this.#options.onRecovered(lostLines);
  }
}

/** How many of the bytes were taken. */
function writeSome(fd: number, bytes: Buffer): Promise<number> {
  return new Promise((resolve, reject) =>
    write(fd, bytes, (error, count) => (error ? reject(error) : resolve(count))),
  );
}

function linesIn(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(LF); at !== -1; at = bytes.indexOf(LF, at + 1)) count++;
  return count;
}

function renameIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

/** Why, and what to do. */
function problemWith(path: string, error: unknown): string {
  switch (codeOf(error)) {
    case "EACCES":
    case "EPERM":
      return `${refusalAt(path, messageOf(error))}, or ${ELSEWHERE}`;
    case "EROFS":
      return `the file system is read-only; mount a volume there, or ${ELSEWHERE}`;
    case "ENOSPC":
    case "EDQUOT":
      return "no space left on the disk";
    case "ENOTDIR":
    case "EEXIST":
      return "a part of its path is a file, not a folder";
    default:
      return messageOf(error);
  }
}

const ELSEWHERE = "name another with runtime.log.file";

/** Of the nearest thing on the path that there is. */
function refusalAt(path: string, reason: string): string {
  for (let rest = path, at = ""; at !== "/"; rest = folderOf(rest)) {
    at = rest || "/";
    try {
      const owner = statSync(at, { throwIfNoEntry: false });
      if (owner)
        return mayNotWrite(owner.isDirectory() ? `in ${at}` : at, { uid: process.geteuid?.(), owner });
    } catch {
      // Not to be looked at either; its folder may be.
    }
  }
  return reason;
}

/** Of an absolute path; that of a name in `/` is empty. */
function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}
