// `haraka version`: what this is and what it runs on.
import process from "node:process";
import { version as number } from "../compose/version.ts";
import { JSON_FLAG, type Verb } from "./verb.ts";

export const version: Verb = {
  name: "version",
  common: false,
  summary: "print the version",
  flags: JSON_FLAG,
  examples: [["version --json", "for scripts"]],
  async run({ flags }, io) {
    const { bun, deno, node } = process.versions as Partial<Record<string, string>>;
    const runtime = bun !== undefined ? `bun ${bun}` : deno !== undefined ? `deno ${deno}` : `node ${node}`;
    const platform = `${process.platform}-${process.arch}`;
    if (flags.json === true) io.stdout(`${JSON.stringify({ version: number, runtime, platform })}\n`);
    else io.stdout(`haraka-runtime ${number} (${runtime}, ${platform})\n`);
    return 0;
  },
};
