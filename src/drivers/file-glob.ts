// The files of a glob: those there are, whether a path is one of them, and where to look for new ones. Installed packages and
// version control are only entered by a pattern that names them.
import { globSync, statSync } from "node:fs";
import { basename, matchesGlob } from "node:path";

const LEFT_OUT = ["node_modules", ".git"];

export interface FileGlob {
  /** Everything it can match lies in it. */
  folder: string;
  /** Absolute and sorted. */
  list(): string[];
  matches(path: string): boolean;
  /** Whether a folder of this path may hold what it matches. */
  enters(folder: string): boolean;
}

/** `pattern` is absolute; a folder stands for all that is in it. */
export function fileGlob(pattern: string): FileGlob {
  const parts = pattern.split("/");
  const wild = parts.findIndex((part) => /[*?[\]{}!()]/.test(part));
  if (wild === -1 && statSync(pattern, { throwIfNoEntry: false })?.isDirectory()) {
    return fileGlob(`${pattern.replace(/\/$/, "")}/**`);
  }
  const leftOut = LEFT_OUT.filter((name) => !parts.includes(name));
  const enters = (folder: string) => !leftOut.includes(basename(folder));
  return {
    folder: parts.slice(0, wild === -1 ? -1 : wild).join("/") || "/",
    list: () =>
      globSync(pattern, { exclude: (name) => leftOut.includes(basename(String(name))) })
        .filter((file) => statSync(file, { throwIfNoEntry: false })?.isFile())
        .sort(),
    matches: (path) => matchesGlob(path, pattern),
    enters,
  };
}
