// The C library under Bun. Takes the one this process is running on, so no file is looked for; decides nothing.
import { closeSync } from "node:fs";
import process from "node:process";
import type { Libc } from "../ports/libc.ts";

/** The system call's number; one and the same on every architecture. */
const PIDFD_OPEN = 434;

/** Throws where there is no such library. */
export function openLibc(): Libc {
  // By import it would be looked for by whoever bundles this for Node.
  const { dlopen } = process.getBuiltinModule("bun:ffi") as typeof import("bun:ffi");
  // glibc has this name; musl answers to it with itself.
  const { symbols } = dlopen("libc.so.6", {
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
