// What the plane takes: how long a name may be, how large and how deep a value, how many items a page. A refusal lists everything
// that is wrong at once; it changes and stores nothing.
import type { Json } from "../core/json.ts";
import { PlaneError } from "../errors.ts";

export interface PlaneLimits {
  /** Of a value or a context, as JSON in UTF-8. */
  bodyBytesMax: number;
  /** Of a tenant, a user, a namespace or a key, in UTF-8. */
  keyBytesMax: number;
  pageMax: number;
}

const DEPTH_MAX = 64;
const PAGE_DEFAULT = 100;

/** `size`: it would do if it were smaller. */
export interface Problem {
  path: string;
  message: string;
  size?: true;
}

/** Throws for what is found: `cannot DOING: …`. */
export function refuse(doing: string, found: readonly (Problem | undefined)[]): void {
  const problems = found.filter((problem) => problem !== undefined);
  if (problems.length === 0) return;
  const reasons = problems.map(({ path, message }) => `${path} ${message}`).join("; ");
  throw new PlaneError(
    problems.every(({ size }) => size) ? "too-large" : "invalid",
    `cannot ${doing}: ${reasons}`,
    { errors: problems.map(({ path, message }) => ({ path, message })) },
  );
}

export function nameProblem(path: string, name: unknown, { keyBytesMax }: PlaneLimits): Problem | undefined {
  if (typeof name !== "string") return { path, message: "must be a text" };
  if (name === "") return { path, message: "must not be empty" };
  if (name.length > keyBytesMax || bytesOf(name) > keyBytesMax)
    return { path, message: `must have at most ${keyBytesMax} bytes`, size: true };
  return name.isWellFormed() ? undefined : { path, message: "must be valid Unicode" };
}

/** Of what a list is to go on from, and cannot have given. */
export const BAD_CURSOR: Problem = { path: "after", message: "must be the cursor of a page" };

/** Of what may be the beginning of a name, and empty. */
export function partProblem(path: string, part: unknown, limits: PlaneLimits): Problem | undefined {
  return part === undefined || part === "" ? undefined : nameProblem(path, part, limits);
}

export function numberProblem(
  path: string,
  value: number | undefined,
  { min = 1, max = Number.MAX_SAFE_INTEGER }: { min?: number; max?: number } = {},
): Problem | undefined {
  if (value === undefined || (Number.isSafeInteger(value) && value >= min && value <= max)) return undefined;
  const most = max === Number.MAX_SAFE_INTEGER ? "" : ` and at most ${max}`;
  return { path, message: `must be a whole number, at least ${min}${most}, and is ${String(value)}` };
}

/** How many to give; more than a page holds is a page. */
export function pageOf(limit: number | undefined, { pageMax }: PlaneLimits): number {
  refuse("list", [numberProblem("limit", limit)]);
  return Math.min(limit ?? PAGE_DEFAULT, pageMax);
}

/** A copy that is what the store will give back, or what is wrong with it. */
export function jsonCopy<T extends Json>(
  path: string,
  value: T,
  { bodyBytesMax }: PlaneLimits,
): { json: T; problem: undefined } | { json: undefined; problem: Problem } {
  const problem = problemIn(value, 0, { values: bodyBytesMax });
  if (problem) return { json: undefined, problem: { ...problem, path: path + problem.path } };
  const text = JSON.stringify(value);
  if (bytesOf(text) > bodyBytesMax) return { json: undefined, problem: tooLarge(path, bodyBytesMax) };
  return { json: JSON.parse(text) as T, problem: undefined };
}

function bytesOf(text: string): number {
  return ENCODER.encode(text).length;
}

const ENCODER = new TextEncoder();

const tooLarge = (path: string, bytesMax: number): Problem => ({
  path,
  message: `must have at most ${bytesMax} bytes`,
  size: true,
});

/** Each value takes at least a byte: what has more of them than that is not looked at to its end. */
interface Budget {
  values: number;
}

function problemIn(value: unknown, depth: number, budget: Budget): Problem | undefined {
  if (budget.values-- <= 0) return { path: "", message: "has too many values", size: true };
  if (value === null || typeof value === "boolean" || typeof value === "string") return undefined;
  if (typeof value === "number")
    return Number.isFinite(value) ? undefined : { path: "", message: `must be finite, and is ${value}` };
  if (typeof value !== "object") return { path: "", message: `must be JSON, and is a ${typeof value}` };
  if (depth >= DEPTH_MAX) return { path: "", message: `must not be nested deeper than ${DEPTH_MAX}` };
  if (Array.isArray(value)) return problemInArray(value, depth, budget);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && prototype !== Object.prototype)
    return { path: "", message: "must be JSON, and is an object of a class" };
  for (const [key, inner] of Object.entries(value)) {
    // A property that is undefined is none, as JSON has it.
    const problem = inner === undefined ? undefined : problemIn(inner, depth + 1, budget);
    if (problem) return { ...problem, path: `.${key}${problem.path}` };
  }
  return undefined;
}

function problemInArray(array: readonly unknown[], depth: number, budget: Budget): Problem | undefined {
  for (let index = 0; index < array.length; index++) {
    const problem = problemIn(array[index], depth + 1, budget);
    if (problem) return { ...problem, path: `[${index}]${problem.path}` };
  }
  return undefined;
}
