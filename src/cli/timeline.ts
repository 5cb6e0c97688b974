// `haraka timeline`: when each service of a running runtime started and stopped, and what made the whole take so long.
import { ExitCode } from "../errors.ts";
import type { TimelineView } from "../http/control-views.ts";
import { SOCKET_FLAGS } from "./config-flags.ts";
import { JSON_FLAG, type Verb } from "./verb.ts";

/** Where the output is no terminal. */
const COLUMNS = 100;

export const timeline: Verb = {
  name: "timeline",
  common: false,
  summary: "draw how the services started and stopped, with the critical path",
  flags: { ...SOCKET_FLAGS, ...JSON_FLAG },
  examples: [["timeline", "what is marked with * made the start as long as it was"]],
  async run(args, io) {
    const { connect } = await import("./client.ts");
    const client = await connect(args, io);
    const { body } = await client.ask<TimelineView>("GET", "/api/v1/runtime/timeline");
    if (args.flags["json"] === true) {
      io.stdout(`${JSON.stringify(body)}\n`);
      return ExitCode.ok;
    }
    const { gantt } = await import("./gantt.ts");
    const { columns } = await import("./terminal.ts");
    io.stdout(`${gantt(body, { width: columns() ?? COLUMNS, nowMs: Date.now() }).join("\n")}\n`);
    return ExitCode.ok;
  },
};
