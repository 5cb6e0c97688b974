// The C library under Deno, which wants `--allow-ffi` for it. Takes the one this process is running on; decides nothing.
import type { Libc } from "../ports/libc.ts";

/** The part of Deno's API that is used here; its types are not among the dependencies. */
declare const Deno: {
  dlopen(
    name: string,
    symbols: Record<string, { parameters: readonly string[]; result: string }>,
  ): { symbols: Record<"prctl" | "waitid" | "waitpid", (...words: unknown[]) => number> };
};

/** Throws without the permission, and where there is no such library. */
export function openLibc(): Libc {
  const { symbols } = Deno.dlopen("libc.so.6", {
    prctl: { parameters: ["i32", "u64", "u64", "u64", "u64"], result: "i32" },
    waitid: { parameters: ["i32", "u32", "buffer", "i32"], result: "i32" },
    waitpid: { parameters: ["i32", "pointer", "i32"], result: "i32" },
  });
  return {
    prctl: (option, value) => symbols.prctl(option, value, 0, 0, 0),
    waitid: (...words) => symbols.waitid(...words),
    waitpid: (pid, options) => symbols.waitpid(pid, null, options),
    hearsDeaths: () => true,
  };
}
