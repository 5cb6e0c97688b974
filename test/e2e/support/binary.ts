// The compiled binary for tests: built when a source is newer than it, otherwise as it stands. Test files that run at the same
// time may both build it; each puts a complete file in its place.
import { execFileSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";

export const root = join(import.meta.dirname, "../../..");

/** Changes when a file under it, or the folder's list of files, does. Milliseconds since the epoch. */
function changedMs(path: string): number {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return 0;
  const inside = stat.isDirectory() ? readdirSync(path).map((name) => changedMs(join(path, name))) : [];
  return Math.max(stat.mtimeMs, ...inside);
}

/** The path of `dist/haraka`, up to date with the sources. Takes about a second when it has to be built. */
export function binary(): string {
  const path = join(root, "dist/haraka");
  const sources = ["src", "build", "package.json", "bun.lock"].map((name) => join(root, name));
  if (changedMs(path) < Math.max(...sources.map(changedMs))) {
    execFileSync(process.execPath, [join(root, "build/binary.ts")], {
      stdio: ["ignore", "ignore", "inherit"],
    });
  }
  return path;
}
