// `haraka logs`: what the services of a running runtime have written lately, and what they write from now on.
import { UsageError } from "../errors.ts";
import { SOCKET_FLAGS } from "./config-flags.ts";
import { JSON_FLAG, type Verb } from "./verb.ts";

export const logs: Verb = {
  name: "logs",
  common: true,
  summary: "print what services have written",
  takes: "[SERVICE…]",
  flags: {
    follow: { type: "boolean", short: "f", help: "go on with what they write from now on" },
    lines: {
      type: "string",
      short: "n",
      value: "N",
      help: "only the last N lines of each; default: all that are kept",
    },
    ...SOCKET_FLAGS,
    ...JSON_FLAG,
  },
  examples: [
    ["logs", "all services, in the order of time"],
    ["logs api -f -n 20", "the last 20 lines of api, and then as they come"],
  ],
  async run(args, io) {
    const lines = args.flags["lines"];
    if (lines !== undefined && !/^\d{1,9}$/.test(lines as string))
      throw new UsageError(
        `cannot print the last '${lines as string}' lines: -n takes a whole number from 0`,
      );
    const { connect } = await import("./client.ts");
    const { allServices, resolveNames } = await import("./picture.ts");
    const client = await connect(args, io);
    const services = await allServices(client);
    const names = args.positionals.length > 0 ? args.positionals : services.map(({ name }) => name);
    const { printLogs } = await import("./log-printer.ts");
    return printLogs(client, {
      names: resolveNames(names, services),
      follow: args.flags["follow"] === true,
      ...(lines !== undefined && { tail: Number(lines) }),
      json: args.flags["json"] === true,
      io,
    });
  },
};
