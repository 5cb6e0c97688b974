// What the schema of a config is put together with: keys with and without defaults, what is said about them, and the small values.
// It does not import what it is built with, see `accept.ts` for why, and it knows no key.
import type * as zod from "zod/mini";
import { quantitiesOf } from "./quantities.ts";
import { scalarsOf, type Zod } from "./scalars.ts";

/** What the parts of the schema are made of. */
export type Kit = ReturnType<typeof kitOf>;

export function kitOf(z: Zod) {
  /** What is said about a schema beyond its type; goes into the JSON Schema as it is, and from there into the docs. */
  const docs = z.registry<{ [jsonSchemaKeyword: string]: unknown }>();

  function described<T extends zod.ZodMiniType>(schema: T, description: string): T {
    docs.add(schema, { description });
    return schema;
  }

  /** A key that has to be there. Said of a copy: the same type means something else elsewhere. */
  function required<T extends zod.ZodMiniType>(schema: T, description: string): T {
    return described(schema.check(), description);
  }

  /** A key that may be left out. */
  function key<T extends zod.ZodMiniType>(schema: T, description: string) {
    return described(z.exactOptional(schema), description);
  }

  /** A key with a default, written as it would be in the file. */
  function preset<T extends zod.ZodMiniType>(schema: T, fallback: zod.input<T>, description: string) {
    return described(z.prefault(schema, fallback), description);
  }

  const scalars = { ...scalarsOf(z), ...quantitiesOf(z) };
  const text = z.string();
  const filled = text.check(z.minLength(1));
  const texts = z.array(text);
  const autoDuration = z.union([z.literal("auto"), scalars.duration]);

  /** Text that may be written as a number or boolean, which is then taken as it is written: see `values.ts`. */
  const literal = z.string();
  const name = literal.check(z.minLength(1));
  for (const schema of [literal, name]) docs.add(schema, { type: ["string", "number", "boolean"] });

  const command = z.union([filled, z.array(literal).check(z.minLength(1))]);

  /** Details, of which one alone may be written in place of the map. */
  function oneOrMap<Short extends zod.ZodMiniType, Details extends zod.ZodMiniType>(
    short: Short,
    { as, details }: { as: string; details: Details },
  ) {
    const wrapped = z.pipe(
      short,
      z.transform((value) => ({ [as]: value })),
    );
    const read = details as unknown as zod.ZodMiniType<
      zod.output<Details>,
      Record<string, zod.output<Short>>
    >;
    return z.union([z.pipe(wrapped, read), details]);
  }

  const own = {
    described,
    required,
    key,
    preset,
    oneOrMap,
    text,
    filled,
    texts,
    autoDuration,
    literal,
    name,
    command,
  };
  return { ...scalars, ...own, z, docs };
}
