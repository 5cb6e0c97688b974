// What the schemas of the plane's HTTP API are put together with, and what OpenAPI reads beside them: what is said about
// a schema, and which schemas have a name of their own. Checks values; converts only what arrives as text.
import * as z from "zod/mini";
import { isMap } from "../config/path.ts";
import { quantitiesOf } from "../config/quantities.ts";

export { z };
export type Schema = z.ZodMiniType;

/** Added to the JSON Schema of a schema as it is. */
export const about = z.registry<{ [jsonSchemaKeyword: string]: unknown }>();

/** Schemas of answers that have their own place in the OpenAPI document. */
export const answers = z.registry<{ id: string }>();

/** The same of bodies that are sent. Not a registry: they depend on limits, so there may be several of one name. */
export const bodyNames = new WeakMap<Schema, string>();

export function described<T extends Schema>(schema: T, description: string): T {
  about.add(schema, { ...about.get(schema), description });
  return schema;
}

/** May be left out. */
export function optional<T extends Schema>(schema: T, description: string) {
  return described(z.exactOptional(schema), description);
}

export function sent<T extends Schema>(id: string, schema: T): T {
  bodyNames.set(schema, id);
  return schema;
}

export function answered<T extends Schema>(id: string, schema: T): T {
  answers.add(schema, { id });
  return schema;
}

/** `5s`; becomes milliseconds. */
export const { duration, span } = quantitiesOf(z);

/** Anything that JSON can hold, but it has to be there. Is not copied, so no key of it is lost. */
export const anything = () =>
  z.unknown().check(z.refine((value) => value !== undefined, { error: "expected a value" }));

/** A JSON object of whatever, not copied either. */
export function object() {
  const schema = z.unknown().check(z.refine(isMap, { error: "expected a map" }));
  about.add(schema, { type: "object" });
  return schema as unknown as z.ZodMiniType<Record<string, unknown>>;
}

/** A whole number that arrives as text. */
export function whole({ minimum, maximum }: { minimum: number; maximum: number }) {
  const toNumber = z.transform((text) => (/^\d{1,16}$/.test(String(text)) ? Number(text) : text));
  const error = `expected a whole number from ${minimum} to ${maximum}`;
  const schema = z.pipe(toNumber, z.int({ error }).check(z.minimum(minimum), z.maximum(maximum)));
  about.add(schema, { type: "integer", minimum, maximum });
  return schema;
}

/** `a,b`, or given more than once. */
export function severalOf<const T extends string>(words: readonly T[]) {
  const toList = z.transform((value) => {
    const texts: readonly unknown[] = Array.isArray(value) ? value : [value];
    return texts.flatMap((text) => (typeof text === "string" ? text.split(",") : [text]));
  });
  const schema = z.pipe(toList, z.array(z.enum(words)));
  about.add(schema, { type: "array", items: { type: "string", enum: [...words] } });
  return schema;
}

/** A name that somebody has given: not empty, of well-formed Unicode without control characters, and not too long. */
export function name(limits: { keyBytesMax: number }) {
  const schema = prefix(limits).check(z.minLength(1));
  about.add(schema, { minLength: 1, maxLength: limits.keyBytesMax });
  return schema;
}

/** The beginning of a name. */
export function prefix({ keyBytesMax }: { keyBytesMax: number }) {
  const schema = z.string().check(
    z.refine((text) => isShort(text, keyBytesMax), { error: `expected at most ${keyBytesMax} bytes` }),
    z.refine((text) => !/\p{Cc}/u.test(text) && text.isWellFormed(), {
      error: "expected text without control characters",
    }),
  );
  about.add(schema, { maxLength: keyBytesMax });
  return schema;
}

function isShort(text: string, bytesMax: number): boolean {
  return text.length <= bytesMax && new TextEncoder().encode(text).length <= bytesMax;
}
