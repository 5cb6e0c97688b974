// The JSON Schema of a config file, for editors: derived from the zod schema, loosened where `${…}` may stand for a value. It is
// committed as config/schema.json and printed by `haraka schema`; nothing validates with it.
import * as z from "zod/mini";
import { isMap, type RawMap } from "./path.ts";
import { schemaOf } from "./schema.ts";

/** JSON Schema draft 7, as editors understand it. */
export function jsonSchema(): Record<string, unknown> {
  const { document, docs } = schemaOf(z);
  const schema = z.toJSONSchema(document, { io: "input", target: "draft-07", metadata: docs });
  return { ...(loosen(schema) as RawMap), title: "Haraka Runtime config" };
}

const REFERENCE = { type: "string", pattern: "\\$\\{" };
const ABOUT = new Set(["description", "default"]);

/** Lets `${…}` stand wherever only some texts, a number or a boolean may; and requires no key, as another file may have it. */
function loosen(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(loosen);
  if (!isMap(schema)) return schema;
  const entries = Object.entries(schema)
    .filter(
      ([key, value]) => !(key === "required" && Array.isArray(value)) && value !== Number.MAX_SAFE_INTEGER,
    )
    .map(([key, value]) => [key, loosen(value)] as const);
  if (!isLimited(schema)) return Object.fromEntries(entries);
  const about = entries.filter(([key]) => ABOUT.has(key));
  const rule = entries.filter(([key]) => !ABOUT.has(key));
  return { ...Object.fromEntries(about), anyOf: [Object.fromEntries(rule), REFERENCE] };
}

function isLimited({ type, pattern, enum: values }: RawMap): boolean {
  return (
    typeof pattern === "string" ||
    Array.isArray(values) ||
    ["integer", "number", "boolean"].includes(String(type))
  );
}
