// What `haraka start`, `stop` and `restart` share: an order for services of a running runtime. They return once the order is
// given; what becomes of it is for `status`.
import { ExitCode, UsageError } from "../errors.ts";
import type { ServiceAction } from "../ports/control.ts";
import { SOCKET_FLAGS } from "./config-flags.ts";
import { type Args, type Flag, type Io, JSON_FLAG, type Verb } from "./verb.ts";

const CASCADE_FLAG: Readonly<Record<string, Flag>> = {
  cascade: { type: "boolean", help: "also those that need it" },
};

/** The verb for one action. */
export function operation(action: ServiceAction, texts: Pick<Verb, "summary" | "examples">): Verb {
  return {
    name: action,
    common: false,
    takes: "SERVICE…",
    flags: { ...CASCADE_FLAG, ...SOCKET_FLAGS, ...JSON_FLAG },
    ...texts,
    run: (args, io) => operate(action, args, io),
  };
}

async function operate(action: ServiceAction, args: Args, io: Io): Promise<number> {
  const [first, ...also] = args.positionals;
  if (first === undefined) {
    const whole = action === "stop" ? "; the runtime as a whole is stopped by SIGTERM" : "";
    throw new UsageError(`cannot ${action} nothing: name a service, as 'haraka ${action} api'${whole}`);
  }
  const { connect, servicePath } = await import("./client.ts");
  const { allServices, resolveNames } = await import("./picture.ts");
  const client = await connect(args, io);
  resolveNames(args.positionals, await allServices(client));
  const body = { cascade: args.flags["cascade"] === true, also };
  const answer = await client.ask<{ services: string[] }>("POST", servicePath(first, `/${action}`), { body });
  const { services } = answer.body;
  if (args.flags["json"] === true) io.stdout(`${JSON.stringify({ services })}\n`);
  else io.stdout(services.length === 0 ? "nothing to do\n" : `${action}: ${services.join(", ")}\n`);
  return ExitCode.ok;
}
