// What is in files, as a short text that differs where the content does: a file that was only touched is the same file. It keeps
// no content, and a file that cannot be read has a text, too.
import { readFileSync, statSync } from "node:fs";

/** A larger one goes by its size and time. */
const HASHED_BYTES_MAX = 4 * 1024 * 1024;

/** What there is where nothing is. */
export const ABSENT = "absent";
/** What is said of a file that may have changed since it was looked at. */
export const UNSURE = "unsure";

/** `unsureSinceMs`: what was changed at that time or later, in milliseconds since the Unix epoch, is {@link UNSURE}. */
export function contentOf(file: string, { unsureSinceMs = Infinity } = {}): string {
  try {
    const stat = statSync(file);
    const { size, mtimeMs, ctimeMs } = stat;
    // A pipe gives what is in it only once.
    if (!stat.isFile()) return "no file";
    if (ctimeMs >= unsureSinceMs) return UNSURE;
    if (size > HASHED_BYTES_MAX) return `${size} bytes of ${mtimeMs}`;
    const { createHash } = process.getBuiltinModule("node:crypto");
    return createHash("sha256").update(readFileSync(file)).digest("base64");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    return code === "ENOENT" || code === "ENOTDIR" ? ABSENT : `unreadable: ${code}`;
  }
}
