// `haraka validate`: everything that can be known to be wrong before anything is started, module services included.
import { ConfigError, ExitCode } from "../errors.ts";
import { CONFIG_FLAGS, configRequest } from "./config-flags.ts";
import { JSON_FLAG, type Verb } from "./verb.ts";

export const validate: Verb = {
  name: "validate",
  common: true,
  summary: "check a config, and the modules it names, without starting anything",
  flags: {
    ...CONFIG_FLAGS,
    print: { type: "boolean", help: "print the resolved config, secrets redacted" },
    ...JSON_FLAG,
  },
  examples: [
    ["validate -c runtime.yaml", "all problems at once, as FILE:LINE:COL PATH: message"],
    ["validate --print", "what the runtime would see"],
  ],
  async run(args, io) {
    const { readConfig } = await import("../compose/read-config.ts");
    try {
      const { config, print } = readConfig(configRequest(args, io));
      const { checkModules } = await import("../compose/check-modules.ts");
      await checkModules(config, { say: (text) => io.stderr(text) });
      const { services } = config;
      if (args.flags.print === true) io.stdout(print());
      else if (args.flags.json === true)
        io.stdout(`${JSON.stringify({ ok: true, services: services.length })}\n`);
      else io.stdout(`ok: ${services.length} service${services.length === 1 ? "" : "s"}\n`);
      return ExitCode.ok;
    } catch (error) {
      if (!(error instanceof ConfigError) || args.flags.json !== true) throw error;
      io.stdout(`${JSON.stringify({ ok: false, problems: error.diagnostics })}\n`);
      return ExitCode.usage;
    }
  },
};
