// What `${HARAKA_SELF}` stands for: one path that runs this CLI. A compiled binary is its own; a run from source gets a small
// launcher script in a private folder, which is gone when the process ends.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import process from "node:process";

/** Gives the path; writes the launcher when it is first asked for. `main` is the source file of the CLI, absolute. */
export function selfCommand(main: string): () => string {
  let path: string | undefined;
  return () => (path ??= isCompiled(main) ? process.execPath : writeLauncher(main));
}

/** Bun keeps the modules of a compiled binary in a file system of its own. */
const isCompiled = (main: string): boolean => main.startsWith("/$bunfs/");

function writeLauncher(main: string): string {
  const folder = mkdtempSync(`${process.getBuiltinModule("node:os").tmpdir()}/haraka-`);
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const path = `${folder}/haraka`;
  const flags = "deno" in process.versions ? ["run", "--allow-all"] : process.execArgv;
  const words = [process.execPath, ...flags, main].map((word) => `'${word.replaceAll("'", `'\\''`)}'`);
  writeFileSync(path, `#!/bin/sh\nexec ${words.join(" ")} "$@"\n`, { mode: 0o700 });
  return path;
}
