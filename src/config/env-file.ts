// Files of `NAME=value` lines, as `envFile` and `--env-file` name them. The parser is the runtime's own and drops what it cannot
// read; here those lines are found. What stands on one is never repeated: it may be part of a secret.
import { type FileAccess, readText } from "./files.ts";

/** The variables of a file, with the numbers of the lines that give none and are no comment; or why it cannot be read. */
export function readEnvFile(
  path: string,
  access: FileAccess,
): { variables: Record<string, string>; badLines: number[] } | { problem: string } {
  const file = readText(path, access);
  if ("problem" in file) return file;
  const variables = { ...access.parseEnv(file.text) };
  return { variables, badLines: badLinesOf(file.text, (name) => Object.hasOwn(variables, name)) };
}

export const BAD_ENV_LINE = "expected NAME=value, a comment that begins with #, or nothing";

const QUOTES = ['"', "'", "`"];

/** A value in quotes may go on over several lines. */
function badLinesOf(text: string, isKnown: (name: string) => boolean): number[] {
  const lines = text.split("\n").map((line) => line.trim());
  const bad: number[] = [];
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? "";
    if (line === "" || line.startsWith("#")) continue;
    const [, name = "", value = ""] = /^(?:export\s+)?([^\s=]+)\s*=\s*(.*)$/.exec(line) ?? [];
    if (!isKnown(name)) bad.push(at + 1);
    const quote = QUOTES.find((each) => value.startsWith(each));
    if (quote === undefined || value.includes(quote, 1)) continue;
    const end = lines.findIndex((later, index) => index > at && later.includes(quote));
    if (end !== -1) at = end;
  }
  return bad;
}
