// `haraka dev`: a stack on a laptop. As `run`, but for somebody who is changing it: follows the files, outlives what breaks, and
// listens to a few keys.
import { CONFIG_FLAGS, configRequest } from "./config-flags.ts";
import { JSON_FLAG, lastWord, listOf, type Verb } from "./verb.ts";

export const dev: Verb = {
  name: "dev",
  common: true,
  summary: "run while you work on it: restart what changes, outlive what breaks",
  takes: "[SERVICE…]",
  flags: {
    ...CONFIG_FLAGS,
    profile: {
      type: "string",
      multiple: true,
      value: "NAME",
      help: "also start the services of this profile",
    },
    ...JSON_FLAG,
  },
  examples: [
    ["dev", "everything, on the next free port of 127.0.0.1, with the variables of .env"],
    ["dev api", "api and what it needs"],
  ],
  async run(args, io) {
    const { dev: develop } = await import("../compose/dev.ts");
    const { listenToKeys } = await import("./dev-keys.ts");
    const end = await develop({
      request: configRequest(args, io),
      names: args.positionals,
      profiles: listOf(args, "profile"),
      json: args.flags["json"] === true,
      stderr: (text) => io.stderr(text),
      listen: (desk) => listenToKeys(desk, (text) => void io.stdout(text)),
    });
    return lastWord(end, io);
  },
};
