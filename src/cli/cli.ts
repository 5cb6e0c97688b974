// From the words of the command line to an exit code: picks the verb, and turns what it throws into a message on stderr and
// the code of CONTRACT section 2.
import { didYouMean } from "../config/did-you-mean.ts";
import {
  ConfigError,
  ExitCode,
  messageOf,
  stackOf,
  StartupError,
  StoreError,
  UsageError,
} from "../errors.ts";
import { graph } from "./graph.ts";
import { health } from "./health.ts";
import { dev } from "./dev.ts";
import { emit } from "./emit.ts";
import { generalHelp, verbHelp } from "./help.ts";
import { init } from "./init.ts";
import { run } from "./run.ts";
import { schema } from "./schema.ts";
import { validate } from "./validate.ts";
import { reload } from "./reload.ts";
import { restart } from "./restart.ts";
import { start } from "./start.ts";
import { stop } from "./stop.ts";
import { status } from "./status.ts";
import { logs } from "./logs.ts";
import { sagas } from "./sagas.ts";
import { store } from "./store.ts";
import { wal } from "./wal.ts";
import { explain } from "./explain.ts";
import { timeline } from "./timeline.ts";
import { completionOf } from "./completion.ts";
import { type Io, parseVerb, type Verb, VerbFailure } from "./verb.ts";
import { version } from "./version.ts";

const VERBS: readonly Verb[] = [
  run,
  dev,
  status,
  logs,
  validate,
  init,
  start,
  stop,
  restart,
  reload,
  explain,
  timeline,
  health,
  graph,
  schema,
  emit,
  sagas,
  wal,
  store,
  completionOf(() => VERBS),
  version,
];

/** Not among the others, whose help it prints. */
const help: Verb = {
  name: "help",
  common: false,
  summary: "say what there is, or more about one verb",
  takes: "[VERB]",
  flags: { all: { type: "boolean", help: "every verb" } },
  examples: [
    ["help --all", "every verb"],
    ["help run", "the same as 'haraka run --help'"],
  ],
  async run({ flags, positionals: [word] }, io) {
    io.stdout(word === undefined ? generalHelp(VERBS, { all: flags.all === true }) : verbHelp(verbOf(word)));
    return ExitCode.ok;
  },
};

/** Flags that may stand in place of a verb. */
const VERB_FLAGS = new Map([
  ["-h", "help"],
  ["--help", "help"],
  ["--version", "version"],
]);

/** Never rejects. */
export async function main(words: readonly string[], io: Io): Promise<number> {
  try {
    return await dispatch(words, io);
  } catch (error) {
    if (error instanceof ConfigError) io.stderr(`${error.message}\n`);
    else if (isExpected(error)) io.stderr(`haraka: ${error.message}\n`);
    else io.stderr(`haraka: ${stackOf(error) ?? messageOf(error)}\n`);
    return codeOf(error);
  }
}

function isExpected(error: unknown): error is Error {
  const expected = [UsageError, StartupError, StoreError, VerbFailure];
  return expected.some((kind) => error instanceof kind);
}

function codeOf(error: unknown): number {
  if (error instanceof ConfigError || error instanceof UsageError) return ExitCode.usage;
  if (error instanceof StoreError) return ExitCode.store;
  return error instanceof StartupError || error instanceof VerbFailure ? error.exitCode : ExitCode.internal;
}

async function dispatch([first, ...rest]: readonly string[], io: Io): Promise<number> {
  if (first === undefined) {
    io.stderr(generalHelp(VERBS, { all: false }));
    return ExitCode.usage;
  }
  const verb = verbOf(VERB_FLAGS.get(first) ?? first);
  const args = parseVerb(verb, rest);
  if (args.flags.help !== true) return verb.run(args, io);
  io.stdout(verbHelp(verb));
  return ExitCode.ok;
}

/** Throws `UsageError`. */
function verbOf(word: string): Verb {
  const verbs = [...VERBS, help];
  const verb = verbs.find(({ name, alias }) => word === name || word === alias);
  if (verb) return verb;
  if (word.startsWith("-")) throw new UsageError(strayFlag(word, verbs));
  const names = verbs.flatMap(({ name, alias }) => (alias === undefined ? [name] : [name, alias]));
  throw new UsageError(`unknown verb '${word}'${didYouMean(word, names)}; see 'haraka --help'`);
}

/** What is wrong with a flag in place of a verb: the verb whose flag it is comes first, or nobody has it. */
function strayFlag(word: string, verbs: readonly Verb[]): string {
  const [given = word] = word.split("=", 1);
  for (const verb of verbs) {
    for (const [name, { short, value }] of Object.entries(verb.flags)) {
      if (given !== `--${name}` && given !== `-${short}`) continue;
      const example = `haraka ${verb.name} ${given}${value === undefined ? "" : ` ${value}`}`;
      return `'${given}' comes after a verb, as '${example}'; see 'haraka --help'`;
    }
  }
  // Of two short flags each is a letter away from the other.
  const close = given.startsWith("--") ? didYouMean(given, [...VERB_FLAGS.keys()]) : "";
  return `unknown flag '${word}'${close}; see 'haraka --help'`;
}
