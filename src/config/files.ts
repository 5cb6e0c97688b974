// What the config needs from the outside, and the checks on every file it reads. It says what is wrong with a file in words;
// it never opens one itself.
import { messageOf } from "../errors.ts";

/** File access, handed in: `drivers/config-files.ts` has the real one. Paths are absolute. */
export interface FileAccess {
  /** At most `limitBytes + 1` bytes of a file, or why it cannot be read ("no such file", "it is a directory", …). */
  readFile(path: string, limitBytes: number): { bytes: Uint8Array } | { problem: string };
  /** The files that match, absolute and sorted. */
  glob(pattern: string): readonly string[];
  /** The variables of a `.env` style file. */
  parseEnv(text: string): Record<string, string>;
  /**
   * A faster YAML reader, for the way where nothing is wrong. Returns `undefined` for every text it cannot vouch for: that it
   * reads as YAML 1.2 core would, without duplicate keys, and with numbers and booleans as JavaScript prints them.
   */
  parseYaml?(text: string): unknown;
}

const FILE_LIMIT_BYTES = 1024 * 1024;

/** The text of a file, or what is wrong with it. Refuses more than 1 MiB, NUL bytes and invalid UTF-8. */
export function readText(path: string, access: FileAccess): { text: string } | { problem: string } {
  const file = access.readFile(path, FILE_LIMIT_BYTES);
  if ("problem" in file) return file;
  if (file.bytes.length > FILE_LIMIT_BYTES) return { problem: "it is larger than 1 MiB" };
  if (file.bytes.includes(0)) return { problem: "it is a binary file (it has NUL bytes)" };
  try {
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(file.bytes) };
  } catch (error) {
    return { problem: `it is not valid UTF-8 (${messageOf(error)})` };
  }
}

/** An absolute POSIX path without `.` and `..`; a relative one is taken from `folder`. */
export function resolvePath(folder: string, path: string): string {
  const parts: string[] = [];
  for (const part of (path.startsWith("/") ? path : `${folder}/${path}`).split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

/** The folder of an absolute path. */
export function folderOf(path: string): string {
  return path.slice(0, Math.max(1, path.lastIndexOf("/")));
}
