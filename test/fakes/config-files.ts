// A config in memory: what `loadConfig` needs, from texts by path, in the working directory `/app`. It never touches a disk.
import { parseEnv } from "node:util";
import type { ConfigSource } from "../../src/config/load.ts";

export interface MemoryConfig {
  /** By path, absolute or relative to `/app`. */
  files: Readonly<Record<string, string | Uint8Array>>;
  /** What `-c` names. Default: the first of `files`. */
  named?: readonly string[];
  env?: Readonly<Record<string, string>>;
}

const CWD = "/app";

export function memoryConfig({
  files,
  named = Object.keys(files).slice(0, 1),
  env = {},
}: MemoryConfig): ConfigSource {
  const contents = new Map(
    Object.entries(files).map(([path, content]) => [
      path.startsWith("/") ? path : `${CWD}/${path}`,
      typeof content === "string" ? new TextEncoder().encode(content) : content,
    ]),
  );
  return {
    files: named,
    env,
    cwd: CWD,
    readFile(path, limitBytes) {
      const bytes = contents.get(path);
      return bytes ? { bytes: bytes.subarray(0, limitBytes + 1) } : { problem: "no such file" };
    },
    glob(pattern) {
      const source = pattern.replace(/[.+^$()|\\]/g, "\\$&").replaceAll("*", "[^/]*");
      return [...contents.keys()].filter((path) => new RegExp(`^${source}$`).test(path)).toSorted();
    },
    parseEnv: (text) => parseEnv(text) as Record<string, string>,
  };
}
