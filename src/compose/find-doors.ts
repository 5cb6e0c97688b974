// From what the command line names to the places where that runtime can be asked. Only who asks needs it: a run never loads it. It
// connects to nothing.
import { type Doors, doorsOf } from "../config/doors.ts";
import { readEnvFile } from "../config/env-file.ts";
import { resolvePath } from "../config/files.ts";
import type { ConfigSource } from "../config/load.ts";
import { configFiles } from "../drivers/config-files.ts";
import { ConfigError, UsageError } from "../errors.ts";
import { configPath, type ConfigRequest, readConfig } from "./read-config.ts";

/**
 * Where the runtime of a config can be reached. A config that cannot be used is no reason not to tell: then it comes with the
 * `problem`, and what the config does not say has its default.
 */
export function findDoors(request: ConfigRequest): Doors & { problem?: ConfigError | UsageError } {
  try {
    const { control, http } = readConfig(request).config;
    return { socket: control.socket, http };
  } catch (problem) {
    if (!(problem instanceof ConfigError || problem instanceof UsageError)) throw problem;
    return { ...doorsOf(sourceAsFarAsItGoes(request)), problem };
  }
}

function sourceAsFarAsItGoes({ envFiles, env, cwd, ...request }: ConfigRequest): ConfigSource {
  const variables = envFiles.map((file) => {
    const content = readEnvFile(resolvePath(cwd, file), configFiles);
    return "variables" in content ? content.variables : {};
  });
  const files = request.files.length > 0 ? request.files : [configPath(env, cwd) ?? ""].filter(Boolean);
  const { access = configFiles } = request;
  return { ...access, files, env: { ...Object.assign({}, ...variables), ...env }, cwd };
}
