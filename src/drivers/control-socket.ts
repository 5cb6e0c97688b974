// The control socket's place in the file system: whose it is, who may have it, when it goes. A runtime that listens is never
// pushed aside, one that has died is; of several that start at once exactly one gets the place. It speaks no protocol.
//
//   bind at a private name ──▶ link(2) it to the path ──▶ ours            (link fails where something is: no check, no gap)
//                                   │ taken
//                                   ▼
//                    does somebody accept a connection? ──yes──▶ held, by the pid beside it
//                                   │ no
//                                   ▼
//                    under a lock: ask again, remove, link
//
// The lock is SQLite's on an empty file, which the kernel lets go of when its holder dies; nothing else can be told apart from a
// live holder in every container. A holder leaves the path before it stops listening, so nobody meets a live runtime's place empty.
import { linkSync, lstatSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { mayNotWrite, messageOf } from "../errors.ts";

/** sockaddr_un holds 108 bytes on Linux and 104 elsewhere, the last of them NUL. */
const PATH_BYTES_MAX = process.platform === "linux" ? 107 : 103;
const LOCK_PATIENCE_MS = 5_000;
const RETRY_MS = 10;

export interface SocketServer {
  close(): Promise<void>;
}

export interface ControlSocketOptions {
  /** Absolute. */
  path: string;
  /** Listens at a path where nothing is. It is bound when this returns. */
  listen(path: string): Promise<SocketServer>;
}

/** Somebody listens there. `pid` is what that one wrote beside its socket. */
export class SocketHeldError extends Error {
  override readonly name = "SocketHeldError";
  readonly pid: number | undefined;
  constructor(pid: number | undefined) {
    super(pid === undefined ? "another process listens on it" : `pid ${pid} listens on it`);
    this.pid = pid;
  }
}

/**
 * Listens at `path` with mode 0600, in a folder that is made with mode 0700 if need be. Throws {@link SocketHeldError}, or an error
 * whose message says what is in the way and what to do. Closing removes the socket, if it is still this one.
 */
export async function openControlSocket({ path, listen }: ControlSocketOptions): Promise<SocketServer> {
  const hidden = join(dirname(path), `.${Math.random().toString(36).slice(2, 8)}`);
  refuseLong(path, hidden);
  let server: SocketServer | undefined;
  let inode = 0n;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    server = await withMask(0o177, () => listen(hidden));
    inode = lstatSync(hidden, { bigint: true }).ino;
    // Before anybody can meet the socket.
    writePid(pidFile(path, inode));
    await publish(hidden, path);
    rmSync(hidden);
  } catch (error) {
    if (inode !== 0n) rmSync(pidFile(path, inode), { force: true });
    await server?.close();
    throw error instanceof SocketHeldError ? error : new Error(reasonOf(error, path), { cause: error });
  }
  const { close } = server;
  return {
    async close() {
      rmSync(pidFile(path, inode), { force: true });
      if (lstatSync(path, { bigint: true, throwIfNoEntry: false })?.ino === inode) {
        rmSync(path, { force: true });
      }
      await close();
    },
  };
}

/** What `make` does before it returns is done under that umask; it counts for the whole process. */
function withMask<T>(mask: number, make: () => T): T {
  const before = process.umask(mask);
  try {
    return make();
  } finally {
    process.umask(before);
  }
}

async function publish(hidden: string, path: string): Promise<void> {
  if (tryLink(hidden, path)) return;
  await refuseTaken(path);
  using _ = await lock(`${path}.lock`);
  while (!tryLink(hidden, path)) {
    const dead = await refuseTaken(path);
    // In this order: once the socket is gone, another one may have its inode, and a file by that name.
    rmSync(pidFile(path, dead), { force: true });
    rmSync(path, { force: true });
  }
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  }
}

/** Returns when nothing is at `path`, 0, or a socket on which nobody listens, its inode. */
async function refuseTaken(path: string): Promise<bigint> {
  const found = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  if (found === undefined) return 0n;
  if (!found.isSocket()) {
    throw new Error(
      `there is a ${found.isDirectory() ? "folder" : "file"} of that name; move it away, or ${ELSEWHERE}`,
    );
  }
  const answered = await isAnswered(path);
  // Another may have come in between: then it was that one who answered.
  if (lstatSync(path, { bigint: true, throwIfNoEntry: false })?.ino !== found.ino) return refuseTaken(path);
  if (answered) throw new SocketHeldError(readPid(pidFile(path, found.ino)));
  return found.ino;
}

/** The kernel's word: it refuses connections to a socket whose process has died. */
function isAnswered(path: string): Promise<boolean> {
  const { connect } = process.getBuiltinModule("node:net");
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    const answer = (answered: boolean) => {
      socket.destroy();
      resolve(answered);
    };
    socket.once("connect", () => answer(true));
    socket.once("error", (error) => {
      const code = codeOf(error);
      if (code === "ECONNREFUSED" || code === "ENOENT") answer(false);
      // Full of connections that it has not come round to.
      else if (code === "EAGAIN") answer(true);
      else reject(error);
    });
  });
}

/** Held until disposed of, or until this process dies. */
async function lock(file: string): Promise<Disposable> {
  const { DatabaseSync } = process.getBuiltinModule("node:sqlite");
  const database = withMask(0o177, () => new DatabaseSync(file, { timeout: 0 }));
  for (let waitedMs = 0; ; waitedMs += RETRY_MS) {
    try {
      database.exec("BEGIN EXCLUSIVE");
      return { [Symbol.dispose]: () => database.close() };
    } catch (error) {
      if (waitedMs >= LOCK_PATIENCE_MS || !/locked/.test(messageOf(error))) {
        database.close();
        throw new Error(`cannot lock ${file}: ${messageOf(error)}`, { cause: error });
      }
      await new Promise((retry) => setTimeout(retry, RETRY_MS));
    }
  }
}

/** The inode says which socket it is about: one file for all would be written after the socket is met, or by who does not get it. */
const pidFile = (path: string, inode: bigint): string => `${path}.${inode}.pid`;

/** Only a message will miss it. */
function writePid(file: string): void {
  try {
    rmSync(file, { force: true });
    writeFileSync(file, `${process.pid}\n`, { mode: 0o600, flag: "wx" });
  } catch {
    // No space left, or somebody's folder of that name.
  }
}

function readPid(file: string): number | undefined {
  try {
    return Number(readFileSync(file, "utf8")) || undefined;
  } catch {
    return undefined;
  }
}

const ELSEWHERE = "name another with control.socket, or none with control.socket: false";

function refuseLong(path: string, hidden: string): void {
  const bytes = Math.max(Buffer.byteLength(path), Buffer.byteLength(hidden));
  if (bytes <= PATH_BYTES_MAX) return;
  throw new Error(`its path takes ${bytes} bytes, a socket's at most ${PATH_BYTES_MAX}; ${ELSEWHERE}`);
}

function reasonOf(error: unknown, path: string): string {
  const folder = existing(dirname(path));
  switch (codeOf(error)) {
    case "EACCES":
    case "EPERM":
      return `${mayNotWrite(`in ${folder}`, { uid: process.geteuid?.(), owner: lstatSync(folder) })}, or ${ELSEWHERE}`;
    case "EROFS":
      return `${folder} is on a read-only file system; mount a volume there, or ${ELSEWHERE}`;
    case "ENOTDIR":
    case "EEXIST":
      return `${folder} is no folder; move it away, or ${ELSEWHERE}`;
    default:
      return messageOf(error);
  }
}

/** The nearest part of the path that can be looked at. */
function existing(path: string): string {
  try {
    lstatSync(path);
    return path;
  } catch {
    return existing(dirname(path));
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
