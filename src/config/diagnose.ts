// Puts a document through the schema, and what the schema finds into words: what was expected, what stands there, and what was
// probably meant. Knows nothing of files and positions.
import { didYouMean } from "./did-you-mean.ts";
import * as z from "zod/mini";
import { adviceForKey, adviceForValue } from "./foreign-keys.ts";
import { lookup, type Path } from "./path.ts";
import { schemaOf, type RawDocument } from "./schema.ts";

const { document } = schemaOf(z);

/** A problem at a path of the merged document. `part` says which of a map's entry is meant. */
export interface Problem {
  path: Path;
  part: "key" | "value";
  message: string;
}

/** The document with defaults and converted values, or every way in which it departs from the schema. */
export function diagnose(value: unknown): { document: RawDocument } | { problems: Problem[] } {
  const result = z.safeParse(document, value, { jitless: true, error: phrase });
  if (result.success) return { document: result.data };
  return { problems: result.error.issues.flatMap((issue) => flatten(issue, value)) };
}

type Issue = z.core.$ZodIssue;
type RawIssue = z.core.$ZodRawIssue;

const NOUNS: Record<string, string> = {
  string: "text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "a map",
  record: "a map",
};

/** What was expected. For unknown keys: the known ones, which only the schema at hand can tell. */
function phrase(issue: RawIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return `expected ${NOUNS[issue.expected] ?? issue.expected}`;
    case "invalid_value":
      return `expected ${issue.values.map((value: unknown) => `\`${String(value)}\``).join(" or ")}`;
    case "too_small":
      return issue.origin === "string" || issue.origin === "array"
        ? "expected it not to be empty"
        : `expected at least ${issue.minimum}`;
    case "too_big":
      return `expected at most ${issue.maximum}`;
    case "unrecognized_keys":
      return Object.keys((issue.inst as z.ZodMiniObject)._zod.def.shape).join(" ");
    default:
      return "invalid";
  }
}

/** One problem for every unknown key, the branch of a union that was meant, and everything else as it is. */
function flatten(issue: Issue, root: unknown): Problem[] {
  const path = issue.path as Path;
  const value = lookup(root, path);
  if (issue.code === "unrecognized_keys") {
    const known = issue.message.split(" ");
    return issue.keys.map((key) => ({ path: [...path, key], part: "key", message: unknownKey(key, known) }));
  }
  if (issue.code === "invalid_union") {
    const meant = issue.errors.find((branch) => !branch.some(isAboutAll));
    if (meant)
      return meant.flatMap((inner) => flatten({ ...inner, path: [...path, ...inner.path] } as Issue, root));
    const expected = issue.errors.flat().map(({ message }) => message.replace(/^expected /, ""));
    const message = withActual(`expected ${expected.join(" or ")}`, value);
    return [{ path, part: "value", message: message + suggestion(value, issue.errors.flat()) }];
  }
  return [{ path, part: "value", message: withActual(issue.message, value) + suggestion(value, [issue]) }];
}

/** Whether a branch was not meant: the value as a whole is of another kind. */
function isAboutAll({ code, path }: Issue): boolean {
  return path.length === 0 && (code === "invalid_type" || code === "invalid_value");
}

function unknownKey(key: string, known: readonly string[]): string {
  const advice = adviceForKey(key);
  if (advice !== undefined) return `unknown key "${key}": ${advice}`;
  const meant = didYouMean(key, known);
  return `unknown key "${key}"${meant || `; known are ${known.join(", ")}`}`;
}

function withActual(expected: string, value: unknown): string {
  return expected.includes(", got ") ? expected : `${expected}, got ${show(value)}`;
}

function suggestion(value: unknown, issues: readonly Issue[]): string {
  if (typeof value !== "string") return "";
  const known = issues.flatMap((issue) => (issue.code === "invalid_value" ? issue.values.map(String) : []));
  const advice = known.length > 0 ? adviceForValue(value) : undefined;
  return advice === undefined ? didYouMean(value, known) : `: ${advice}`;
}

const SHOWN_LENGTH_MAX = 60;

function show(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a map";
  if (typeof value === "string") {
    return `"${value.length > SHOWN_LENGTH_MAX ? `${value.slice(0, SHOWN_LENGTH_MAX)}…` : value}"`;
  }
  return String(value as number | boolean);
}
