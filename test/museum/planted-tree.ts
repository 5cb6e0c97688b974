// The source with a bug planted in it, in a tree of its own that is thrown away. The source itself is never touched and knows nothing
// of this: nothing that is shipped can be switched to be wrong. A bug whose place is not there any more is an error, never a pass.
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** `find` is a text of the file `file`, whatever it stands for in patterns; every one of them is replaced. */
export interface Edit {
  file: string;
  find: string;
  replace: string;
}

export interface PlantedTree extends Disposable {
  path: string;
}

const root = join(import.meta.dirname, "../..");

/** `parts` are what is copied of the repository; packages are those of the repository itself. */
export function plantedTree(
  bug: string,
  { edits, parts }: { edits: readonly Edit[]; parts: readonly string[] },
): PlantedTree {
  const path = mkdtempSync(join(tmpdir(), "haraka-planted-"));
  const remove = (): void => rmSync(path, { recursive: true });
  try {
    for (const part of parts) cpSync(join(root, part), join(path, part), { recursive: true });
    symlinkSync(join(root, "node_modules"), join(path, "node_modules"));
    for (const { file, find, replace } of edits) {
      const text = readFileSync(join(path, file), "utf8");
      if (!text.includes(find)) throw new Error(`cannot plant "${bug}": ${file} has no ${find}`);
      writeFileSync(
        join(path, file),
        text.replaceAll(find, () => replace),
      );
    }
  } catch (error) {
    remove();
    throw error;
  }
  return { path, [Symbol.dispose]: remove };
}
