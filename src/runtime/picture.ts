// The plan as a picture, for people: who needs whom, under which condition, in which phase.
import type { Plan, PlannedService } from "../core/plan.ts";

/** As DOT: arrows point from a service to what it needs; a dashed one is optional. */
export function asDot({ services, phases }: Plan): string {
  const lines = ["digraph haraka {", "  rankdir=LR;", "  node [shape=box];"];
  for (const [phase, members] of phases.entries()) {
    const names = members.map((index) => quote(services[index]?.spec.name ?? ""));
    lines.push(
      `  subgraph cluster_${phase} { label="${phaseTitle({ services, phases }, phase)}"; ${names.join("; ")}; }`,
    );
  }
  for (const { spec, dependencies } of services) {
    for (const { indexes, condition, required } of dependencies) {
      const style = required ? "" : ", style=dashed";
      for (const index of indexes) {
        const target = services[index]?.spec.name ?? "";
        lines.push(`  ${quote(spec.name)} -> ${quote(target)} [label="${condition}"${style}];`);
      }
    }
  }
  return `${lines.join("\n")}\n}\n`;
}

/** The same as a Mermaid graph. */
export function asMermaid({ services, phases }: Plan): string {
  const lines = ["graph LR"];
  for (const [phase, members] of phases.entries()) {
    lines.push(`  subgraph phase${phase}["${phaseTitle({ services, phases }, phase)}"]`);
    for (const index of members) lines.push(`    n${index}["${services[index]?.spec.name}"]`);
    lines.push("  end");
  }
  for (const [index, { dependencies }] of services.entries()) {
    for (const { indexes, condition, required } of dependencies) {
      const [from, to] = required ? ["--", "-->"] : ["-.", ".->"];
      for (const target of indexes) lines.push(`  n${index} ${from} ${condition} ${to} n${target}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

function phaseTitle({ services, phases }: Plan, phase: number): string {
  const first: PlannedService | undefined = services[phases[phase]?.[0] ?? -1];
  return `phase ${phase + 1}, priority ${first?.effectivePriority}`;
}

const quote = (name: string): string => JSON.stringify(name);
