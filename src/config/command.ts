// Turns `command` into the arguments of a process. A text is split at its spaces as Compose does, quotes and backslashes included;
// whatever would need a shell is refused, because no shell runs it. It never expands anything.
import { parse } from "shell-quote";
import { isSecretFlag, redact, REDACTED } from "./secrets.ts";

const QUOTED = /\\.|"(?:\\.|[^"\\])*"|'[^']*'/gs;

/** Stands for `#`, which the library takes for a comment even inside a word. */
const HASH = "\uFFFF";

const NONE: ReadonlySet<string> = new Set();

/** The arguments, or why the text is not a plain command. */
export function splitCommand(text: string): { argv: string[] } | { problem: string } {
  const unquoted = text.replace(QUOTED, "");
  if (/["']/.test(unquoted)) return { problem: "cannot split the command: a quote is not closed" };
  let shellNeeded = unquoted.includes("`") ? "`" : undefined;
  const entries = parse(text.replaceAll("#", HASH), (name) => {
    if (name !== "") shellNeeded ??= `$${name}`;
    return "$";
  });
  const argv: string[] = [];
  for (const entry of entries) {
    if (typeof entry === "string") argv.push(entry.replaceAll(HASH, "#"));
    else if ("pattern" in entry) argv.push(entry.pattern.replaceAll(HASH, "#"));
    else if ("op" in entry) shellNeeded ??= entry.op;
  }
  if (shellNeeded !== undefined) return { problem: needsShell(text, shellNeeded) };
  return argv.length > 0 ? { argv } : { problem: "cannot run an empty command" };
}

function needsShell(text: string, what: string): string {
  const words = text.split(/\s+/).filter((word) => word !== "");
  const shown = words.map((word, index) => (isSecretFlag(words[index - 1]) ? REDACTED : redact(word, NONE)));
  const list = `[${shown.map((word) => JSON.stringify(word)).join(", ")}]`;
  return `cannot run a command with "${what}" without a shell: if it is an argument, write a list, as ${list}; if a shell should see it, add \`shell: true\``;
}
