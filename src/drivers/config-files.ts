// File access for the config, with what goes wrong turned into words. It reads regular files, pipes and `/dev/fd/N`, and never
// more than it is asked for.
import { closeSync, globSync, openSync, readSync } from "node:fs";
import type { FileAccess } from "../config/files.ts";
import { messageOf } from "../errors.ts";

const CHUNK_BYTES = 64 * 1024;

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
  parseEnv: (text) => process.getBuiltinModule("node:util").parseEnv(text) as Record<string, string>,
};

function readUpTo(path: string, bytesMax: number): Uint8Array {
  const descriptor = openSync(path, "r");
  try {
    const chunks: Uint8Array[] = [];
    for (let length = 0; length < bytesMax;) {
      const chunk = new Uint8Array(Math.min(CHUNK_BYTES, bytesMax - length));
      const count = readSync(descriptor, chunk);
      if (count === 0) break;
      chunks.push(chunk.subarray(0, count));
      length += count;
    }
    return chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks);
  } finally {
    closeSync(descriptor);
  }
}
