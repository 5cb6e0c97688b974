// `haraka explain`: why a service is not ready, down the chain of what it waits for. Exit 0 if it is ready, 1 if not.
import { ExitCode, UsageError } from "../errors.ts";
import { SOCKET_FLAGS } from "./config-flags.ts";
import { JSON_FLAG, type Verb } from "./verb.ts";

export const explain: Verb = {
  name: "explain",
  common: false,
  summary: "say why a service is not ready, down the chain; exit 0 if it is",
  takes: "SERVICE",
  flags: { ...SOCKET_FLAGS, ...JSON_FLAG },
  examples: [["explain api", "what it waits for, and what that waits for"]],
  async run(args, io) {
    const [name, ...more] = args.positionals;
    if (name === undefined || more.length > 0)
      throw new UsageError(`'explain' takes one service (got ${args.positionals.length})`);
    const { connect } = await import("./client.ts");
    const { allServices, resolveNames } = await import("./picture.ts");
    const { explanationOf, isWell, tree } = await import("./explanation.ts");
    const services = await allServices(await connect(args, io));
    // Several where the name stands for replicas.
    const explanations = resolveNames([name], services).map((each) => explanationOf(each, services));
    const lines = explanations.flatMap((each) => tree(each, Date.now()));
    const [only] = explanations;
    const json = JSON.stringify(explanations.length === 1 ? only : explanations);
    io.stdout(`${args.flags["json"] === true ? json : lines.join("\n")}\n`);
    return explanations.every(({ state }) => isWell(state)) ? ExitCode.ok : ExitCode.failure;
  },
};
