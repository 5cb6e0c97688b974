// The C library's calls for sd_notify, from whatever FFI this runtime has.
import process from "node:process";
import { openSocketCalls as openWithBun } from "../drivers/socket-calls-bun.ts";
import { openSocketCalls as openWithDeno } from "../drivers/socket-calls-deno.ts";
import { messageOf } from "../errors.ts";
import type { OpenSocketCalls, SocketCalls } from "../ports/socket-calls.ts";

/** Of glibc, then of musl, which has the machine in it. */
const LIBRARIES = ["libc.so.6", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`];

/** Throws with what to do instead. */
export function openSocketCalls(): SocketCalls {
  if (process.platform !== "linux") throw new Error("sd_notify needs Linux; use notificationFd");
  const open = ffiOfThisRuntime();
  let problem: unknown;
  for (const library of LIBRARIES) {
    try {
      return open(library);
    } catch (error) {
      problem ??= error;
    }
  }
  throw new Error(`cannot use sd_notify: ${messageOf(problem)}; use notificationFd`, { cause: problem });
}

function ffiOfThisRuntime(): OpenSocketCalls {
  if (typeof Bun !== "undefined") return openWithBun;
  if ("Deno" in globalThis) return openWithDeno;
  throw new Error("sd_notify needs FFI, which Node has not; use notificationFd");
}
