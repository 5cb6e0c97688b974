// The flags that name a config, for every verb that reads one.
import type { ConfigRequest } from "../compose/read-config.ts";
import { type Args, type Flag, type Io, listOf } from "./verb.ts";

export const CONFIG_FLAGS: Readonly<Record<string, Flag>> = {
  config: {
    type: "string",
    short: "c",
    multiple: true,
    value: "FILE",
    help: "config file; a later one wins, per key",
  },
  "env-file": { type: "string", multiple: true, value: "FILE", help: "variables for ${…} and the services" },
};

export function configRequest(args: Args, { env, cwd, main }: Io): ConfigRequest {
  return { files: listOf(args, "config"), envFiles: listOf(args, "env-file"), env, cwd, main };
}
