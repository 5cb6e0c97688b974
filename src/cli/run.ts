// `haraka run`: the main job. Reads the config, brings the services up, stays until they end or a signal comes.
import { CONFIG_FLAGS, configRequest } from "./config-flags.ts";
import { JSON_FLAG, lastWord, listOf, type Verb } from "./verb.ts";

export const run: Verb = {
  name: "run",
  alias: "up",
  common: true,
  summary: "start the services of a config, or these and what they need",
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
    ["run", "HARAKA_CONFIG, else runtime.yaml, else config/runtime.yaml"],
    ["run -c base.yaml -c prod.yaml", "two files, the later wins, per key"],
    ["run api", "api and what it needs"],
  ],
  async run(args, io) {
    const { readConfig } = await import("../compose/read-config.ts");
    const { runConfig } = await import("../compose/cli.ts");
    // As they are now: what is added to them later is no part of what was asked for.
    const request = { ...configRequest(args, io), env: { ...io.env } };
    const { config, env } = readConfig(request);
    const end = await runConfig(config, {
      names: args.positionals,
      profiles: listOf(args, "profile"),
      env,
      json: args.flags.json === true,
      readAgain: () => readConfig(request),
    });
    return lastWord(end, io);
  },
};
