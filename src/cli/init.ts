// `haraka init`: a first config and a first service in an empty folder or an existing project. Writes only what is not there.
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { ExitCode, messageOf, UsageError } from "../errors.ts";
import { type Io, JSON_FLAG, type Verb } from "./verb.ts";

const CONFIG = "runtime.yaml";

export const init: Verb = {
  name: "init",
  common: true,
  summary: "write a commented config and a first service",
  takes: "[FOLDER]",
  flags: JSON_FLAG,
  examples: [
    ["init", "here"],
    ["init shop", "in the folder shop, made if needed"],
  ],
  async run({ flags, positionals }, io) {
    if (positionals.length > 1) throw new UsageError(`'init' takes one folder (got ${positionals.length})`);
    const folder = resolve(io.cwd, positionals[0] ?? ".");
    if (existsSync(join(folder, CONFIG))) {
      throw new UsageError(`cannot init ${folder}: it has a ${CONFIG}; remove it, or name another folder`);
    }
    const { initFiles } = await import("./init-files.ts");
    const files = Object.entries(await initFiles());
    const kept = files.filter(([name]) => existsSync(join(folder, name))).map(([name]) => name);
    const written = files.filter(([name]) => !kept.includes(name));
    for (const [name, text] of written) write(join(folder, name), text);
    const names = written.map(([name]) => name);
    const next = nextCommands(positionals[0], io);
    if (flags.json === true) io.stdout(`${JSON.stringify({ folder, written: names, kept, next })}\n`);
    else io.stdout(inWords({ folder, written: names, kept, next }));
    return ExitCode.ok;
  },
};

function write(path: string, text: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  } catch (error) {
    throw new UsageError(`cannot write ${path}: ${messageOf(error)}`);
  }
}

/** `haraka` alone is a mail server on npm, so a run from npm names the package. */
function nextCommands(folder: string | undefined, { main, cwd }: Io): string[] {
  const { argv0 } = process;
  // Named by a path, it is to be found from the new folder, too.
  const self = quoted(argv0.includes("/") ? resolve(cwd, argv0) : argv0);
  const program = main.startsWith("/$bunfs/") ? self : "npx haraka-runtime";
  const enter = folder === undefined ? "" : `cd ${quoted(folder)} && `;
  return [`${enter}npm install`, `${program} validate`, `${program} run`];
}

/** One word for a shell. What begins with a dash would be taken for an option. */
function quoted(word: string): string {
  const path = word.startsWith("-") ? `./${word}` : word;
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`;
}

function inWords({
  folder,
  written,
  kept,
  next,
}: Record<"written" | "kept" | "next", string[]> & { folder: string }): string {
  return [
    `wrote ${written.join(", ")} in ${folder}`,
    ...(kept.length > 0 ? [`kept ${kept.join(", ")}, which were there`] : []),
    "",
    "Next:",
    ...next.map((command) => `  ${command}`),
    "",
  ].join("\n");
}
