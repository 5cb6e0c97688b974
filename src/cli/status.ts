// `haraka status`: what a running runtime and its services are doing, once or for as long as one looks.
import { ExitCode, UsageError } from "../errors.ts";
import { SOCKET_FLAGS } from "./config-flags.ts";
import { JSON_FLAG, type Verb } from "./verb.ts";

export const status: Verb = {
  name: "status",
  common: true,
  summary: "show what a running runtime and its services are doing",
  takes: "[SERVICE…]",
  flags: {
    watch: { type: "boolean", short: "w", help: "keep showing it; on a terminal keys act on services" },
    ...SOCKET_FLAGS,
    ...JSON_FLAG,
  },
  examples: [
    ["status", "once"],
    ["status --watch", "up and down choose, s starts, x stops, r restarts, l shows logs, q leaves"],
    ["status --json", "for scripts"],
  ],
  async run(args, io) {
    const json = args.flags["json"] === true;
    const { connect } = await import("./client.ts");
    const { picture } = await import("./picture.ts");
    const client = await connect(args, io);
    if (args.flags["watch"] === true) {
      if (args.positionals.length > 0) throw new UsageError("status --watch shows all services; name none");
      const { watch } = await import("./watch.ts");
      return watch(client, { io, json });
    }
    const seen = await picture(client, args.positionals);
    const { statusTable } = await import("./status-table.ts");
    const { colourful, columns } = await import("./terminal.ts");
    const width = columns();
    const options = { nowMs: Date.now(), colour: colourful(io.env), ...(width !== undefined && { width }) };
    io.stdout(json ? `${JSON.stringify(seen)}\n` : `${statusTable(seen, options).join("\n")}\n`);
    return ExitCode.ok;
  },
};
