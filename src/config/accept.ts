// The dozen builders of zod that the schema uses, as plain functions: they read a document that is in order as zod would, and
// decline every other without a word. Loading zod and building the schema with it takes longer than all the rest of a boot, so
// zod is asked only when this declines. A test holds the two together.
import { isMap, type RawMap } from "./path.ts";
import { quantitiesOf } from "./quantities.ts";
import { schemaOf, type RawDocument } from "./schema.ts";
import type { Zod } from "./scalars.ts";

const DECLINED = Symbol("declined");

type Read = (value: unknown) => unknown;
type Check = (value: never) => boolean;

interface Schema {
  read: Read;
  optional?: boolean;
  check(...checks: Check[]): Schema;
}

function schema(read: Read): Schema {
  return {
    read,
    check: (...checks) =>
      schema((value) => {
        const result = read(value);
        return result !== DECLINED && checks.every((check) => check(result as never)) ? result : DECLINED;
      }),
  };
}

/** A schema for the values of which this holds, which it leaves as they are. */
function only(holds: (value: unknown) => boolean): Schema {
  return schema((value) => (holds(value) ? value : DECLINED));
}

function readList(value: unknown, item: Schema): unknown {
  if (!Array.isArray(value)) return DECLINED;
  const result = value.map(item.read);
  return result.includes(DECLINED) ? DECLINED : result;
}

function readRecord(value: unknown, item: Schema): unknown {
  if (!isMap(value)) return DECLINED;
  const entries = Object.entries(value).map(([key, each]) => [key, item.read(each)] as const);
  return entries.some(([key, each]) => key === "__proto__" || each === DECLINED)
    ? DECLINED
    : Object.fromEntries(entries);
}

function readObject(value: unknown, shape: Readonly<Record<string, Schema>>): unknown {
  if (!isMap(value) || Object.keys(value).some((key) => !Object.hasOwn(shape, key))) return DECLINED;
  const result: RawMap = {};
  for (const [key, item] of Object.entries(shape)) {
    if (item.optional && !Object.hasOwn(value, key)) continue;
    const each = item.read(value[key]);
    if (each === DECLINED) return DECLINED;
    result[key] = each;
  }
  return result;
}

const builders = {
  string: () => only((value) => typeof value === "string"),
  number: () => only(Number.isFinite),
  int: () => only(Number.isSafeInteger),
  boolean: () => only((value) => typeof value === "boolean"),
  unknown: () => only(() => true),
  literal: (wanted: unknown) => only((value) => value === wanted),
  enum: (wanted: readonly unknown[]) => only((value) => wanted.includes(value)),
  array: (item: Schema) => schema((value) => readList(value, item)),
  record: (_key: Schema, item: Schema) => schema((value) => readRecord(value, item)),
  strictObject: (shape: Readonly<Record<string, Schema>>) => schema((value) => readObject(value, shape)),
  union: (branches: readonly Schema[]) =>
    schema((value) => {
      for (const branch of branches) {
        const result = branch.read(value);
        if (result !== DECLINED) return result;
      }
      return DECLINED;
    }),
  transform: (change: Read) => schema(change),
  pipe: (first: Schema, then: Schema) =>
    schema((value) => {
      const result = first.read(value);
      return result === DECLINED ? DECLINED : then.read(result);
    }),
  exactOptional: (inner: Schema): Schema => ({ ...inner, optional: true }),
  /** What is read of the fallback is shared by all that leave the key out; nothing changes a document once it is read. */
  prefault(inner: Schema, fallback: unknown) {
    let read: { result: unknown } | undefined;
    return schema((value) =>
      value === undefined ? (read ??= { result: inner.read(fallback) }).result : inner.read(value),
    );
  },
  minLength: (length: number) => (value: { length: number }) => value.length >= length,
  minimum: (minimum: number) => (value: number) => value >= minimum,
  maximum: (maximum: number) => (value: number) => value <= maximum,
  regex: (pattern: RegExp) => (value: string) => pattern.test(value),
  refine: (holds: Check) => holds,
  registry: () => ({ add: () => {} }),
};

const { document } = schemaOf(builders as unknown as Zod) as unknown as { document: Schema };

/** The document with defaults and converted values, or `undefined` when zod has to have a look. */
export function accept(value: unknown): RawDocument | undefined {
  const result = document.read(value);
  return result === DECLINED ? undefined : (result as RawDocument);
}

/** What stands under `store` and `plane`, the same way. */
export function acceptPlane({ store, plane }: { store?: unknown; plane?: unknown }) {
  const given = { ...(store !== undefined && { store }), ...(plane !== undefined && { plane }) };
  const found = accept({ runtime: {}, http: false, control: {}, services: {}, ...given });
  return found && { store: found.store, plane: found.plane };
}

/** What stands under `discovery`, the same way. */
export function acceptDiscovery(discovery: object) {
  return accept({ runtime: {}, http: false, control: {}, services: {}, discovery })?.discovery;
}

const quantities = quantitiesOf(builders as unknown as Zod) as unknown as Record<"span" | "spans", Schema> & {
  size: (max: "1GiB") => Schema;
};

/** A duration that is not 0, as `5s`, in milliseconds; `undefined`: it is none. */
export function acceptSpan(text: unknown): number | undefined {
  const result = quantities.span.read(text);
  return result === DECLINED ? undefined : (result as number);
}

/** A size, as `1MiB`, in bytes; `undefined`: it is none. */
export function acceptSize(text: unknown): number | undefined {
  const result = quantities.size("1GiB").read(text);
  return result === DECLINED ? undefined : (result as number);
}

/** Two durations, as `100ms..5s`; `undefined`: it is not that. */
export function acceptSpans(text: unknown): { minMs: number; maxMs: number } | undefined {
  const result = quantities.spans.read(text);
  return result === DECLINED ? undefined : (result as { minMs: number; maxMs: number });
}
