// What a verb of the command line is made of, and how its words are read. Parsing is strict: what is not known is refused with
// the nearest thing that is.
import type { RunEnd } from "../compose/end-of-run.ts";
import { didYouMean } from "../config/did-you-mean.ts";
import { ExitCode, UsageError } from "../errors.ts";

/** What was asked for could not be done, for a reason outside the command line. The message says why, and what to do. */
export class VerbFailure extends Error {
  override readonly name = "VerbFailure";
  readonly exitCode = ExitCode.failure;
}

export interface Flag {
  type: "boolean" | "string";
  short?: string;
  /** May be given more than once. */
  multiple?: boolean;
  /** What stands for the value in the help. */
  value?: string;
  help: string;
}

/** Where a verb reads from and writes to. */
export interface Io {
  /** False when nobody reads any more. */
  stdout(text: string): boolean | void;
  stderr(text: string): void;
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
  /** Absolute path of the source file of the CLI, or its place inside a compiled binary. */
  main: string;
}

export interface Args {
  flags: Readonly<Record<string, string | boolean | readonly string[] | undefined>>;
  positionals: readonly string[];
}

export interface Verb {
  name: string;
  alias?: string;
  /** Shown in the short help. */
  common: boolean;
  summary: string;
  /** The positional arguments as the help shows them; none are taken without. */
  takes?: string;
  flags: Readonly<Record<string, Flag>>;
  /** Command lines without the program's name, with what they do. */
  examples: readonly (readonly [command: string, what: string])[];
  /** Resolves with the exit code. */
  run(args: Args, io: Io): Promise<number>;
}

export const JSON_FLAG: Readonly<Record<string, Flag>> = {
  json: { type: "boolean", help: "print JSON" },
};

const HELP_FLAG: Readonly<Record<string, Flag>> = {
  help: { type: "boolean", short: "h", help: "print this help" },
};

/** Throws `UsageError`. `help` among the flags means that nothing else was looked at. */
export function parseVerb(verb: Verb, words: readonly string[]): Args {
  if (words.length === 0) return { flags: {}, positionals: [] };
  const flags = { ...verb.flags, ...HELP_FLAG };
  const options = Object.fromEntries(
    Object.entries(flags).map(([name, { type, short, multiple }]) => [
      name,
      { type, ...(short !== undefined && { short }), ...(multiple !== undefined && { multiple }) },
    ]),
  );
  const { values, positionals, tokens } = process.getBuiltinModule("node:util").parseArgs({
    args: [...words],
    options,
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  if (values.help === true) return { flags: { help: true }, positionals: [] };
  for (const token of tokens) {
    if (token.kind !== "option") continue;
    const flag = flags[token.name];
    if (!flag) throw new UsageError(unknownFlag(token.rawName, { verb, flags }));
    // What looks like the next flag is one; such a value is written `--flag=-value`.
    const isMissing = token.value === undefined || (!token.inlineValue && /^-./.test(token.value));
    if (flag.type === "string" && isMissing) {
      throw new UsageError(`${token.rawName} needs a value: ${token.rawName} ${flag.value}`);
    }
    if (flag.type === "boolean" && token.value !== undefined) {
      throw new UsageError(`${token.rawName} takes no value (got '${token.value}')`);
    }
  }
  if (verb.takes === undefined && positionals[0] !== undefined) {
    throw new UsageError(`'${verb.name}' takes no arguments (got '${positionals[0]}')`);
  }
  return { flags: values as Args["flags"], positionals };
}

function unknownFlag(
  rawName: string,
  { verb, flags }: { verb: Verb; flags: Readonly<Record<string, Flag>> },
): string {
  const names = Object.keys(flags).map((name) => `--${name}`);
  const close = didYouMean(rawName, names);
  return `unknown flag '${rawName}' for '${verb.name}'${close}; see 'haraka ${verb.name} --help'`;
}

/** All values of a flag that may be given more than once. */
export function listOf({ flags }: Args, name: string): readonly string[] {
  const value = flags[name];
  return Array.isArray(value) ? value : [];
}

/** Says what ended a run, where it was no clean end; returns the exit code. */
export function lastWord({ exitCode, cause }: RunEnd, io: Io): number {
  if (cause !== undefined) io.stderr(`haraka: ${cause}\n`);
  return exitCode;
}
