// `haraka schema`: the JSON Schema of the config file, for editors.
import type { Verb } from "./verb.ts";

export const schema: Verb = {
  name: "schema",
  common: false,
  summary: "print the JSON Schema of the config file",
  flags: { json: { type: "boolean", help: "print JSON (it always is)" } },
  examples: [["schema > runtime.schema.json", "for the yaml-language-server comment of a config"]],
  async run(_args, io) {
    const { jsonSchema } = await import("../config/json-schema.ts");
    io.stdout(`${JSON.stringify(jsonSchema(), null, 2)}\n`);
    return 0;
  },
};
