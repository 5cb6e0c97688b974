// `haraka graph`: the plan as a picture, in DOT or Mermaid: who needs whom, under which condition, in which phase.
import { ExitCode, UsageError } from "../errors.ts";
import type { Plan } from "../core/plan.ts";
import { CONFIG_FLAGS, configRequest } from "./config-flags.ts";
import { JSON_FLAG, type Verb } from "./verb.ts";

export const graph: Verb = {
  name: "graph",
  common: false,
  summary: "print the order of services as DOT or Mermaid",
  flags: {
    ...CONFIG_FLAGS,
    format: { type: "string", value: "dot|mermaid", help: "default: dot" },
    ...JSON_FLAG,
  },
  examples: [
    ["graph | dot -Tsvg > graph.svg", "with Graphviz"],
    ["graph --format mermaid", "for a README"],
  ],
  async run({ flags, ...args }, io) {
    const format = flags.format ?? "dot";
    if (format !== "dot" && format !== "mermaid") {
      throw new UsageError(`cannot draw as '${format as string}': --format is dot or mermaid`);
    }
    const [{ readConfig, specOf }, { createPlan }, { asDot, asMermaid }] = await Promise.all([
      import("../compose/read-config.ts"),
      import("../core/plan.ts"),
      import("../runtime/picture.ts"),
    ]);
    const { config } = readConfig(configRequest({ flags, ...args }, io));
    const plan = createPlan(config.services.map(specOf));
    if (flags.json === true) io.stdout(`${JSON.stringify(asJson(plan))}\n`);
    else io.stdout(format === "dot" ? asDot(plan) : asMermaid(plan));
    return ExitCode.ok;
  },
};

function asJson(plan: Plan): object {
  return {
    services: plan.services.map(({ spec, phase, effectivePriority }) => ({
      name: spec.name,
      phase,
      priority: spec.priority,
      effectivePriority,
      dependencies: spec.dependencies,
    })),
  };
}
