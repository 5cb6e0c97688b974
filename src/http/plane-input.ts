// What a request to the plane says, put through the schemas of its operation: parameters of the path, query, headers, body. All
// that is wrong is told at once, each thing with where it stands. It asks nobody.
import { didYouMean } from "../config/did-you-mean.ts";
import { formatPath } from "../config/path.ts";
import type { z } from "./plane-schema-kit.ts";
import { problem } from "./problem.ts";

export interface InputProblem {
  path: string;
  message: string;
}

/** Thrown with the answer to give. */
export class Refusal extends Error {
  readonly response: Response;
  constructor(response: Response) {
    super("refused");
    this.response = response;
  }
}

/** Puts `value` through `schema`; adds what is wrong to `problems`, and then returns nothing. */
export function read<T>(schema: z.ZodMiniType<T>, value: unknown, problems: InputProblem[]): T | undefined {
  // Compiling a schema takes longer than many requests, and needs `eval`, which not every platform has.
  const result = schema.safeParse(value, { jitless: true, error: phrase });
  if (result.success) return result.data;
  problems.push(...result.error.issues.flatMap(worded));
  return undefined;
}

/** Throws {@link Refusal} if there are problems. */
export function refuse(problems: readonly InputProblem[]): void {
  if (problems.length > 0) throw new Refusal(unprocessable(problems));
}

export function unprocessable(errors: readonly InputProblem[], detail?: string): Response {
  const all = errors.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`));
  return problem({
    status: 422,
    title: "Unprocessable Content",
    detail: detail ?? `cannot use this request: ${all.join("; ")}`,
    errors,
  });
}

const NOUNS: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "a map",
};

function phrase(issue: z.core.$ZodRawIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return `expected ${NOUNS[issue.expected] ?? issue.expected}, got ${kindOf(issue.input)}`;
    case "invalid_value": {
      const words = issue.values.map(String);
      const meant = typeof issue.input === "string" ? didYouMean(issue.input.slice(0, 100), words) : "";
      return `expected ${words.join(", ")}${meant}`;
    }
    case "too_small":
      return issue.origin === "string" ? "expected it not to be empty" : `expected at least ${issue.minimum}`;
    case "too_big":
      return `expected at most ${issue.maximum}`;
    case "unrecognized_keys":
      return Object.keys((issue.inst as z.ZodMiniObject)._zod.def.shape).join(" ");
    default:
      return "not as expected";
  }
}

const KEYS_TOLD_MAX = 20;
const KEY_LENGTH_MAX = 100;

function worded(issue: z.core.$ZodIssue): InputProblem[] {
  const path = issue.path as (string | number)[];
  if (issue.code !== "unrecognized_keys") return [{ path: formatPath(path), message: issue.message }];
  const known = issue.message.split(" ");
  return issue.keys.slice(0, KEYS_TOLD_MAX).map((key) => {
    const short = key.length > KEY_LENGTH_MAX ? `${key.slice(0, KEY_LENGTH_MAX)}…` : key;
    return { path: formatPath([...path, short]), message: `unknown${didYouMean(short, known)}` };
  });
}

function kindOf(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "a map" : (NOUNS[typeof value] ?? typeof value);
}
