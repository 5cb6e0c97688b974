// The help texts, made from the verbs themselves. `--help` shows the verbs of every day, `--help --all` every one.
import type { Flag, Verb } from "./verb.ts";

export function generalHelp(verbs: readonly Verb[], { all }: { all: boolean }): string {
  const shown = all ? verbs : verbs.filter(({ common }) => common);
  const rows = shown.map(
    (verb) => [`${verb.name}${verb.takes ? ` ${verb.takes}` : ""}`, verb.summary] as const,
  );
  return [
    "haraka: starts the services of a config in order, says when they are ready, stops them without losing a request.",
    "",
    "Usage: haraka VERB [ARGUMENTS]",
    "",
    ...table(rows),
    "",
    "Examples:",
    ...table([
      ["haraka init && haraka run", "a first service, running"],
      ["haraka run -c base.yaml -c prod.yaml", "two files, the later wins"],
    ]),
    "",
    all
      ? "'haraka VERB --help' says more about one."
      : "'haraka --help --all' shows every verb, 'haraka VERB --help' says more about one.",
    "",
  ].join("\n");
}

export function verbHelp(verb: Verb): string {
  const flags: [string, Flag][] = [
    ...Object.entries(verb.flags),
    ["help", { type: "boolean", short: "h", help: "print this help" }],
  ];
  const alias = verb.alias === undefined ? "" : ` (also: ${verb.alias})`;
  return [
    `haraka ${verb.name}: ${verb.summary}${alias}`,
    "",
    `Usage: haraka ${verb.name}${verb.takes ? ` ${verb.takes}` : ""} [FLAGS]`,
    "",
    "Flags:",
    ...table(flags.map(([name, flag]) => [flagTitle(name, flag), flag.help])),
    "",
    "Examples:",
    ...table(verb.examples.map(([command, what]) => [`haraka ${command}`, what])),
    "",
  ].join("\n");
}

function flagTitle(name: string, { short, value, multiple }: Flag): string {
  const long = value === undefined ? `--${name}` : `--${name} ${value}`;
  return `${short === undefined ? "    " : `-${short}, `}${long}${multiple ? " …" : ""}`;
}

function table(rows: readonly (readonly [left: string, right: string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}
