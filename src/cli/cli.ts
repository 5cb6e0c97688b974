// From the words of the command line to an exit code: picks the verb, and turns what it throws into a message on stderr and
// the code of CONTRACT section 2.
import { didYouMean } from "../config/did-you-mean.ts";
import { ConfigError, ExitCode, messageOf, StartupError, UsageError } from "../errors.ts";
import { graph } from "./graph.ts";
import { health } from "./health.ts";
import { generalHelp, verbHelp } from "./help.ts";
import { init } from "./init.ts";
import { run } from "./run.ts";
import { schema } from "./schema.ts";
import { validate } from "./validate.ts";
import { type Io, parseVerb, type Verb } from "./verb.ts";
import { version } from "./version.ts";

const VERBS: readonly Verb[] = [run, validate, init, health, graph, schema, version];

/** Never rejects. */
export async function main(words: readonly string[], io: Io): Promise<number> {
  try {
    return await dispatch(words, io);
  } catch (error) {
    if (error instanceof ConfigError) io.stderr(`${error.message}\n`);
    else if (error instanceof UsageError || error instanceof StartupError)
      io.stderr(`haraka: ${error.message}\n`);
    else io.stderr(`haraka: ${error instanceof Error ? (error.stack ?? error.message) : messageOf(error)}\n`);
    return exitCodeOf(error);
  }
}

function exitCodeOf(error: unknown): number {
  if (error instanceof ConfigError || error instanceof UsageError) return ExitCode.usage;
  return error instanceof StartupError ? error.exitCode : ExitCode.internal;
}

async function dispatch([first, ...rest]: readonly string[], io: Io): Promise<number> {
  if (first === undefined || first === "help" || first === "--help" || first === "-h") {
    const verb = VERBS.find(({ name }) => name === rest[0]);
    io.stdout(verb ? verbHelp(verb) : generalHelp(VERBS, { all: rest.includes("--all") }));
    return first === undefined ? ExitCode.usage : ExitCode.ok;
  }
  if (first === "--version") return dispatch(["version", ...rest], io);
  const verb = VERBS.find(({ name, alias }) => first === name || first === alias);
  if (!verb) throw new UsageError(unknownVerb(first));
  const args = parseVerb(verb, rest);
  if (args.flags.help !== true) return verb.run(args, io);
  io.stdout(verbHelp(verb));
  return ExitCode.ok;
}

function unknownVerb(word: string): string {
  const names = VERBS.flatMap(({ name, alias }) => (alias === undefined ? [name] : [name, alias]));
  return `unknown verb '${word}'${didYouMean(word, names)}; see 'haraka --help'`;
}
