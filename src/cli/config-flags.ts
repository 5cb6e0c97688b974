// The flags that name a config, for every verb that reads one, and the socket, for every verb that asks a running runtime.
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

export const SOCKET_FLAGS: Readonly<Record<string, Flag>> = {
  socket: {
    type: "string",
    value: "PATH",
    help: "the runtime's socket; default: HARAKA_SOCKET, else the config's",
  },
  ...CONFIG_FLAGS,
};

export function configRequest(args: Args, { env, cwd, main }: Io): ConfigRequest {
  return { files: listOf(args, "config"), envFiles: listOf(args, "env-file"), env, cwd, main };
}
