// File access for the config, with what goes wrong turned into words. It reads regular files, pipes and `/dev/fd/N`, and never
// more than it is asked for.
import { closeSync, globSync, openSync, readSync } from "node:fs";
import { parseEnv } from "node:util";
import type { FileAccess } from "../config/files.ts";
import { messageOf } from "../errors.ts";

const REASONS: Record<string, string> = {
  ENOENT: "no such file",
  ENOTDIR: "no such file",
  EACCES: `permission denied for uid ${process.getuid?.() ?? "?"}`,
  EISDIR: "it is a directory",
};

/** To be spread into the options of `loadConfig`. */
export const configFiles: FileAccess = {
  readFile(path, limitBytes) {
    try {
      return { bytes: readUpTo(path, limitBytes + 1) };
    } catch (error) {
      const code = error instanceof Error && "code" in error ? String(error.code) : "";
      return { problem: REASONS[code] ?? messageOf(error) };
    }
  },
  glob: (pattern) => globSync(pattern).sort(),
  parseEnv: (text) => parseEnv(text) as Record<string, string>,
};

function readUpTo(path: string, bytesMax: number): Uint8Array {
  const descriptor = openSync(path, "r");
  try {
    const buffer = new Uint8Array(bytesMax);
    let length = 0;
    while (length < bytesMax) {
      const count = readSync(descriptor, buffer, length, bytesMax - length, null);
      if (count === 0) break;
      length += count;
    }
    return buffer.subarray(0, length);
  } finally {
    closeSync(descriptor);
  }
}
