// `haraka graph`: the plan as a picture, in DOT or Mermaid: who needs whom, under which condition, in which phase.
import { ExitCode, UsageError } from "../errors.ts";
import { createPlan, type Plan, type PlannedService } from "../core/plan.ts";
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
    const { readConfig, specOf } = await import("../compose/read-config.ts");
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

/** Arrows point from a service to what it needs; a dashed one is optional. */
function asDot({ services, phases }: Plan): string {
  const lines = ["digraph haraka {", "  rankdir=LR;", "  node [shape=box];"];
  for (const [phase, members] of phases.entries()) {
    const names = members.map((index) => quote(services[index]?.spec.name ?? ""));
    lines.push(
      `  subgraph cluster_${phase} { label="${phaseTitle({ services, phases }, phase)}"; ${names.join("; ")}; }`,
    );
  }
  for (const { spec } of services) {
    for (const { service, condition, required } of spec.dependencies) {
      const style = required ? "" : ", style=dashed";
      lines.push(`  ${quote(spec.name)} -> ${quote(service)} [label="${condition}"${style}];`);
    }
  }
  return `${lines.join("\n")}\n}\n`;
}

function asMermaid({ services, phases }: Plan): string {
  const lines = ["graph LR"];
  for (const [phase, members] of phases.entries()) {
    lines.push(`  subgraph phase${phase}["${phaseTitle({ services, phases }, phase)}"]`);
    for (const index of members) lines.push(`    n${index}["${services[index]?.spec.name}"]`);
    lines.push("  end");
  }
  for (const [index, { dependencies }] of services.entries()) {
    for (const { index: target, condition, required } of dependencies) {
      lines.push(`  n${index} ${required ? "--" : "-."} ${condition} ${required ? "-->" : ".->"} n${target}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

function phaseTitle({ services, phases }: Plan, phase: number): string {
  const first: PlannedService | undefined = services[phases[phase]?.[0] ?? -1];
  return `phase ${phase + 1}, priority ${first?.effectivePriority}`;
}

const quote = (name: string): string => JSON.stringify(name);
