// The C library under Bun. Takes the one this process is running on, so no file is looked for; decides nothing.
import { closeSync } from "node:fs";
import process from "node:process";
import type { Libc, OpenPipe } from "../ports/libc.ts";

/** The system call's number; one and the same on every architecture. */
const PIDFD_OPEN = 434;
/** From <fcntl.h> of Linux; the same on x64 and arm64. */
const F_SETFL = 4;
const F_SETPIPE_SZ = 1031;
const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;

/** What a socket takes. All pipes of a user may together hold 64 MiB; who has more gets narrow ones. */
const WIDE_BYTES = 256 * 1024;

/** glibc has this name; musl answers to it with itself. */
const LIBRARY = "libc.so.6";

// By import it would be looked for by whoever bundles this for Node.
const ffi = () => process.getBuiltinModule("bun:ffi") as typeof import("bun:ffi");

/** Throws where there is no such library. */
export function openLibc(): Libc {
  const { symbols } = ffi().dlopen(LIBRARY, {
    prctl: { args: ["i32", "u64", "u64", "u64", "u64"], returns: "i32" },
    waitid: { args: ["i32", "u32", "ptr", "i32"], returns: "i32" },
    waitpid: { args: ["i32", "ptr", "i32"], returns: "i32" },
    // Fixed arguments though C has it variadic: the registers are the same on x64 and arm64.
    syscall: { args: ["i64", "i64", "i64"], returns: "i64" },
  });
  return {
    prctl: (option, value) => symbols.prctl(option, value, 0, 0, 0),
    waitid: symbols.waitid,
    waitpid: (pid, options) => symbols.waitpid(pid, null, options),
    hearsDeaths() {
      const pidfd = Number(symbols.syscall(PIDFD_OPEN, process.pid, 0));
      if (pidfd >= 0) closeSync(pidfd);
      return pidfd >= 0;
    },
  };
}

/** The library is opened for the first pipe; where there is none there are no pipes. */
export function pipes(): OpenPipe {
  let open: OpenPipe | undefined;
  return () => (open ??= pipesOfLibrary())();
}

function pipesOfLibrary(): OpenPipe {
  try {
    const { symbols } = ffi().dlopen(LIBRARY, {
      pipe2: { args: ["ptr", "i32"], returns: "i32" },
      // Variadic, too.
      fcntl: { args: ["i32", "i32", "i32"], returns: "i32" },
    });
    const ends = new Int32Array(2);
    return () => {
      if (symbols.pipe2(ends, O_CLOEXEC) !== 0) return undefined;
      const [readEnd = -1, writeEnd = -1] = ends;
      // Not the other end: programs expect their output to wait for room.
      symbols.fcntl(readEnd, F_SETFL, O_NONBLOCK);
      const widen = (): void => void symbols.fcntl(readEnd, F_SETPIPE_SZ, WIDE_BYTES);
      return { readEnd, writeEnd, widen };
    };
  } catch {
    return () => undefined;
  }
}
