// JSON Schemas as the docs page shows them: a type in a few words, a table of keys, and a value to begin with. Of JSON Schema it
// knows what our own schemas use.
import type { JsonSchema } from "./openapi.ts";

export function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** A text in which `code` may stand. */
export function prose(text: unknown): string {
  return escape(typeof text === "string" ? text : "").replace(/`([^`]*)`/g, "<code>$1</code>");
}

export type Schemas = Readonly<Record<string, JsonSchema>>;

export function nameOf(schema: JsonSchema): string | undefined {
  return typeof schema.$ref === "string" ? schema.$ref.split("/").at(-1) : undefined;
}

/** `list of Session`, `"done" or "skip"`, `text`: HTML with links to schemas that have a name. */
export function typeOf(schema: JsonSchema): string {
  const name = nameOf(schema);
  if (name !== undefined) return `<a href="#schema-${escape(name)}">${escape(name)}</a>`;
  if (Array.isArray(schema.anyOf)) return (schema.anyOf as JsonSchema[]).map(typeOf).join(" or ");
  if (Array.isArray(schema.enum))
    return schema.enum.map((value) => escape(JSON.stringify(value))).join(" | ");
  if (schema.type === "array") return `list of ${typeOf((schema.items ?? {}) as JsonSchema)}`;
  if (schema.type === undefined) return "any JSON";
  const types: readonly unknown[] = [schema.type].flat();
  return escape(types.filter((type) => typeof type === "string").join(" or ") + limitsOf(schema));
}

function limitsOf({ minimum, maximum, maxLength, pattern, format, default: preset }: JsonSchema): string {
  const parts = [
    ...(typeof format === "string" ? [format] : []),
    ...(typeof pattern === "string" ? [`like ${pattern}`] : []),
    ...(minimum === undefined ? [] : [`at least ${JSON.stringify(minimum)}`]),
    ...(maximum === undefined ? [] : [`at most ${JSON.stringify(maximum)}`]),
    ...(maxLength === undefined ? [] : [`up to ${JSON.stringify(maxLength)} bytes`]),
    ...(preset === undefined ? [] : [`default ${JSON.stringify(preset)}`]),
  ];
  return parts.length === 0 ? "" : ` (${parts.join(", ")})`;
}

export interface Row {
  name: string;
  isRequired: boolean;
  schema: JsonSchema;
  description?: unknown;
}

export function table(rows: readonly Row[]): string {
  const lines = rows.map(({ name, isRequired, schema, description }) => {
    const mark = isRequired ? ' class="required"' : "";
    return `<tr><td><span${mark}>${escape(name)}</span></td><td><span class="type">${typeOf(schema)}</span> ${prose(description)}</td></tr>`;
  });
  return `<table>${lines.join("")}</table>`;
}

/** The keys of an object, or the type of what is none. */
export function shapeOf(schema: JsonSchema): string {
  if (schema.properties === undefined) return `<p class="type">${typeOf(schema)}</p>`;
  const required: readonly unknown[] = Array.isArray(schema.required) ? schema.required : [];
  const rows = Object.entries(schema.properties as Schemas).map(([name, property]) => ({
    name,
    isRequired: required.includes(name),
    schema: property,
    description: property.description,
  }));
  return table(rows);
}

/** Something with all that it has to have. */
export function exampleOf(schema: JsonSchema, schemas: Schemas): unknown {
  const name = nameOf(schema);
  if (name !== undefined) return exampleOf(schemas[name] ?? {}, schemas);
  if (Array.isArray(schema.enum)) return schema.enum[0];
  if (schema.type === "string") return "";
  if (schema.type === "integer") return 0;
  const required: readonly unknown[] = Array.isArray(schema.required) ? schema.required : [];
  const properties = Object.entries((schema.properties ?? {}) as Schemas);
  return Object.fromEntries(
    properties
      .filter(([key]) => required.includes(key))
      .map(([key, each]) => [key, exampleOf(each, schemas)]),
  );
}
