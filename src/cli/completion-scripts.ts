// The completion scripts, made from the verbs as their help is. Names of services are asked of the running runtime, in silence
// when there is none.
import type { Flag, Verb } from "./verb.ts";

type Shell = "bash" | "zsh" | "fish";

const PROGRAMS = ["haraka", "haraka-runtime"];
const HELP: Flag = { type: "boolean", short: "h", help: "print this help" };

/** One verb as a shell needs it. */
interface Words {
  name: string;
  summary: string;
  flags: [name: string, flag: Flag][];
  takesServices: boolean;
  /** What may stand after the verb, where that is one of a few. */
  choices: readonly string[];
}

export function scriptFor(shell: Shell, verbs: readonly Verb[]): string {
  const words = verbs.map(({ name, summary, flags, takes }): Words => ({
    name,
    summary,
    flags: [...Object.entries(flags), ["help", HELP]],
    takesServices: takes?.includes("SERVICE") ?? false,
    choices: takes !== undefined && /^[a-z]+(\|[a-z]+)+$/.test(takes) ? takes.split("|") : [],
  }));
  return { bash, zsh, fish }[shell](words);
}

function bash(verbs: readonly Words[]): string {
  const cases = verbs.map(({ name, flags, takesServices, choices }) => {
    const words = flags.flatMap(([flag, { short }]) =>
      short === undefined ? [`--${flag}`] : [`--${flag}`, `-${short}`],
    );
    return `    ${name}) flags="${words.join(" ")}"; services=${takesServices ? 1 : ""} choices="${choices.join(" ")}" ;;`;
  });
  return `# bash completion for haraka
_haraka() {
  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" flags="" services="" choices=""
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${verbs.map(({ name }) => name).join(" ")}" -- "$word"))
    return
  fi
  case "$before" in
    ${valueFlags(verbs).join("|")}) COMPREPLY=($(compgen -f -- "$word")); return ;;
  esac
  case "\${COMP_WORDS[1]}" in
${cases.join("\n")}
  esac
  case "$word" in
    -*) COMPREPLY=($(compgen -W "$flags" -- "$word")) ;;
    *)
      if [ -n "$services" ]; then
        COMPREPLY=($(compgen -W "$("\${COMP_WORDS[0]}" completion --services 2>/dev/null)" -- "$word"))
      else
        COMPREPLY=($(compgen -W "$choices" -- "$word"))
      fi ;;
  esac
}
complete -o filenames -F _haraka ${PROGRAMS.join(" ")}
`;
}

/** Flags that are followed by a file, by a folder, or by something that only the user knows. */
function valueFlags(verbs: readonly Words[]): string[] {
  const named = verbs.flatMap(({ flags }) => flags.filter(([, { type }]) => type === "string"));
  return [
    ...new Set(
      named.flatMap(([name, { short }]) => [`--${name}`, ...(short === undefined ? [] : [`-${short}`])]),
    ),
  ];
}

function zsh(verbs: readonly Words[]): string {
  const list = verbs.map(({ name, summary }) => `    '${zshText(`${name}:${summary}`)}'`);
  const cases = verbs.map(({ name, flags, takesServices, choices }) => {
    const specs = flags.flatMap(([flag, { short, help, value, type }]) =>
      [`--${flag}`, ...(short === undefined ? [] : [`-${short}`])].map(
        (word) => `'*${word}[${zshText(help)}]${type === "string" ? `:${value}:_files` : ""}'`,
      ),
    );
    const rest = takesServices ? [`'*:service:_haraka_services'`] : [];
    const one = choices.length > 0 ? [`'1:what:(${choices.join(" ")})'`] : [];
    return `    ${name}) _arguments ${[...specs, ...one, ...rest].join(" ")} ;;`;
  });
  return `#compdef ${PROGRAMS.join(" ")}
_haraka_services() {
  local -a names
  names=(\${(f)"$(_call_program services $service completion --services 2>/dev/null)"})
  compadd -a names
}
_haraka() {
  local -a verbs
  verbs=(
${list.join("\n")}
  )
  if (( CURRENT == 2 )); then
    _describe verb verbs
    return
  fi
  local verb=$words[2]
  shift words
  (( CURRENT-- ))
  case $verb in
${cases.join("\n")}
  esac
}
if [ "$funcstack[1]" = "_haraka" ]; then
  _haraka "$@"
else
  compdef _haraka ${PROGRAMS.join(" ")}
fi
`;
}

const zshText = (text: string): string => text.replace(/[[\]]/g, "\\$&").replaceAll("'", "'\\''");

function fish(verbs: readonly Words[]): string {
  const lines = PROGRAMS.flatMap((program) => [
    `complete -c ${program} -f`,
    ...verbs.flatMap(({ name, summary, flags, takesServices, choices }) => {
      const within = `-n '__fish_seen_subcommand_from ${name}'`;
      return [
        `complete -c ${program} -n __fish_use_subcommand -a ${name} -d ${fishText(summary)}`,
        ...flags.map(([flag, { short, help, type }]) => {
          const words = `-l ${flag}${short === undefined ? "" : ` -s ${short}`}${type === "string" ? " -r -F" : ""}`;
          return `complete -c ${program} ${within} ${words} -d ${fishText(help)}`;
        }),
        ...(takesServices
          ? [`complete -c ${program} ${within} -a '(${program} completion --services 2>/dev/null)'`]
          : []),
        ...(choices.length > 0 ? [`complete -c ${program} ${within} -a '${choices.join(" ")}'`] : []),
      ];
    }),
  ]);
  return `# fish completion for haraka\n${lines.join("\n")}\n`;
}

const fishText = (text: string): string => `'${text.replace(/[\\']/g, "\\$&")}'`;
