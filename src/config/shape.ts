// Puts a document through the schema: the short way where all is in order, else through zod, which is loaded only then and
// leads to words for what is not. Knows nothing of files and positions.
import { accept } from "./accept.ts";
import type { Problem } from "./diagnose.ts";
import type { RawDocument } from "./schema.ts";

/** Where it can be done at once, which is Bun, it is loaded when first needed: on the way where nothing is wrong, never. */
const loaded = typeof Bun === "undefined" ? await import("./diagnose.ts") : undefined;
const zod = (): typeof import("./diagnose.ts") => loaded ?? require("./diagnose.ts");

/** The document with defaults and converted values, or every way in which it departs from the schema. */
export function shape(value: unknown): { document: RawDocument } | { problems: Problem[] } {
  const document = accept(value);
  return document === undefined ? zod().diagnose(value) : { document };
}
