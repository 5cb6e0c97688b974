// Whether a payload is what its intent takes: by a schema of code (Standard Schema, zod among them), which may also make something else
// of it, or by a JSON Schema of a config. Every problem is told, with its place in the request.
import type { Json } from "../core/json.ts";
import { formatPath } from "../config/path.ts";

export interface Problem {
  path: string;
  message: string;
}

export type Checked = { value: unknown } | { problems: readonly Problem[] };

/** `root` is what the value is called in the request. */
export type Check = (value: Json, root: string) => Promise<Checked>;

/** The part of Standard Schema (standardschema.dev) that is used here. */
export interface StandardSchema<Output = unknown> {
  readonly "~standard": {
    validate(value: unknown): StandardResult<Output> | Promise<StandardResult<Output>>;
    readonly types?: { readonly output: Output } | undefined;
  };
}

type StandardResult<Output> = { value: Output; issues?: undefined } | { issues: readonly Issue[] };

interface Issue {
  message: string;
  path?: readonly (PropertyKey | { key: PropertyKey })[] | undefined;
}

export const anything: Check = (value) => Promise.resolve({ value });

export function checkByStandard(schema: StandardSchema): Check {
  return async (value, root) => {
    const result = await schema["~standard"].validate(value);
    if (result.issues === undefined) return { value: result.value };
    return {
      problems: result.issues.map((issue) => ({ path: pathOf(issue, root), message: issue.message })),
    };
  };
}

function pathOf({ path = [] }: Issue, root: string): string {
  const keys = path.map((part) => (typeof part === "object" ? part.key : part));
  return formatPath([root, ...keys.map((key) => (typeof key === "number" ? key : String(key)))]);
}

/** What only says that something further in is wrong. */
const GATHERING: ReadonlySet<string> = new Set([
  "properties",
  "patternProperties",
  "items",
  "prefixItems",
  "dependentSchemas",
  "additionalProperties",
  "allOf",
  "$ref",
]);

/** The validator is loaded with the first payload. */
export function checkByJsonSchema(schema: object): Check {
  const loading = once(async () => {
    const { Validator } = await import("@cfworker/json-schema");
    return new Validator(schema, "2020-12", false);
  });
  return async (value, root) => {
    const { valid, errors } = (await loading()).validate(value);
    if (valid) return { value };
    const isTold = (at: number): boolean =>
      errors
        .slice(at + 1)
        .some(({ instanceLocation }) => instanceLocation.startsWith(`${errors[at]?.instanceLocation}`));
    const kept = errors.filter(({ keyword }, at) => !(GATHERING.has(keyword) && isTold(at)));
    return {
      problems: kept.map(({ keyword, instanceLocation, error }) => ({
        path: formatPath([root, ...pointerOf(instanceLocation)]),
        message: keyword === "false" ? "it is not expected here" : error,
      })),
    };
  };
}

/** `#/items/0/a~1b`: a JSON Pointer as part of a URL. */
function pointerOf(location: string): (string | number)[] {
  const parts = location.split("/").slice(1);
  return parts.map((part) => {
    const key = part.replaceAll("~1", "/").replaceAll("~0", "~");
    return /^\d+$/.test(key) ? Number(key) : key;
  });
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}
