// What a control request may say beyond its path, in the query or in a JSON body. Strict: whatever is not known is refused,
// with all that is wrong at once. It looks at nothing of the runtime.
import { didYouMean } from "../config/did-you-mean.ts";
import { messageOf } from "../errors.ts";
import { problem } from "./problem.ts";

const BODY_BYTES_MAX = 64 * 1024;

/** How a value is read: `undefined` when it is not what it should be. */
type Reader<T> = (value: unknown) => T | undefined;
type Readers = Readonly<Record<string, { read: Reader<unknown>; expected: string }>>;

/** Thrown with the answer to give. */
export class BadInput extends Error {
  readonly response: Response;
  constructor(response: Response) {
    super("bad input");
    this.response = response;
  }
}

/** `?follow` and `?follow=true` are true. */
export const FLAG = {
  read: (value: unknown) =>
    value === "" || value === true || value === "true"
      ? true
      : value === false || value === "false"
        ? false
        : undefined,
  expected: "true or false",
};

/** A number of lines, or of one line. */
export const COUNT = {
  read: (value: unknown) => (/^\d{1,15}$/.test(String(value)) ? Number(value) : undefined),
  expected: "a whole number from 0",
};

export const TEXT = {
  read: (value: unknown) => (typeof value === "string" && value !== "" ? value : undefined),
  expected: "a text that is not empty",
};

/** `?also=a&also=b`, or a list of texts. */
export const NAMES = {
  read: (value: unknown) => {
    const names = Array.isArray(value) ? value : [value];
    return names.every((name) => typeof name === "string") ? (names as string[]) : undefined;
  },
  expected: "names of services",
};

export const oneOf = <T extends string>(...words: readonly T[]) => ({
  read: (value: unknown) => words.find((word) => word === value),
  expected: words.join(" or "),
});

type Input<R extends Readers> = { [K in keyof R]?: NonNullable<ReturnType<R[K]["read"]>> };

/** The query of a request. Throws {@link BadInput}. */
export function readQuery<R extends Readers>(queries: Record<string, string[]>, readers: R): Input<R> {
  const flat = Object.entries(queries).map(([name, all]) => [name, all.length === 1 ? all[0] : all] as const);
  return readAll(flat, readers);
}

/** The query, and a JSON object as the body; where both say something, the body. Throws {@link BadInput}. */
export async function readInput<R extends Readers>(
  request: Request,
  queries: Record<string, string[]>,
  readers: R,
): Promise<Input<R>> {
  const query = readQuery(queries, readers);
  const text = await readText(request);
  if (text.trim() === "") return query;
  return { ...query, ...readAll(Object.entries(parse(text)), readers) };
}

function readAll<R extends Readers>(entries: readonly (readonly [string, unknown])[], readers: R): Input<R> {
  const errors: { path: string; message: string }[] = [];
  const input: Record<string, unknown> = {};
  for (const [name, value] of entries) {
    const reader = Object.hasOwn(readers, name) ? readers[name] : undefined;
    const read = reader?.read(value);
    if (!reader) errors.push({ path: name, message: `unknown${didYouMean(name, Object.keys(readers))}` });
    else if (read === undefined) errors.push({ path: name, message: `expected ${reader.expected}` });
    else input[name] = read;
  }
  if (errors.length === 0) return input as Input<R>;
  const detail = `cannot use this request: ${errors.map(({ path, message }) => `${path}: ${message}`).join("; ")}`;
  throw new BadInput(problem({ status: 422, title: "Unprocessable Content", detail, errors }));
}

function parse(text: string): object {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw badRequest(
      `cannot read the body: it is not JSON (${messageOf(error)}); send a JSON object or nothing`,
    );
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw badRequest("cannot read the body: it is no JSON object; send an object or nothing");
}

async function readText(request: Request): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  try {
    for await (const chunk of request.body ?? []) {
      bytes += chunk.byteLength;
      if (bytes > BODY_BYTES_MAX) break;
      text += decoder.decode(chunk, { stream: true });
    }
  } catch {
    throw badRequest("cannot read the body: it was cut off; send it again");
  }
  if (bytes <= BODY_BYTES_MAX) return text;
  const detail = `cannot read the body: it is larger than ${BODY_BYTES_MAX} bytes`;
  throw new BadInput(problem({ status: 413, title: "Content Too Large", detail }));
}

function badRequest(detail: string): BadInput {
  return new BadInput(problem({ status: 400, title: "Bad Request", detail }));
}
