// How a program becomes one executable: the flags are the same for the product and for what it is measured against.
// It decides neither where the Bun inside comes from nor where the result belongs.
import type { BunPlugin } from "bun";
import { join, relative } from "node:path";

export interface CompileOptions {
  entrypoint: string;
  outfile: string;
  /**
   * Modules that stand in the executable by themselves, by the specifier with which `require` asks for them. The bundler would
   * put them among what is read at every start.
   */
  later?: Readonly<Record<string, string>>;
  /** Another machine's Bun. */
  foreign?: Partial<Bun.CompileBuildOptions>;
}

const root = join(import.meta.dir, "..");

/** Bundles `entrypoint` into the executable `outfile`; throws with what the bundler said. */
export async function compile({ entrypoint, outfile, later = {}, foreign }: CompileOptions): Promise<void> {
  const result = await Bun.build({
    entrypoints: [entrypoint, ...Object.values(later)],
    root,
    plugins: [leaveForLater(later)],
    target: "bun",
    format: "esm",
    minify: true,
    bytecode: true,
    // What is imported when needed is also read when needed.
    splitting: true,
    throw: false,
    compile: { outfile, autoloadDotenv: false, autoloadBunfig: false, ...foreign },
  });
  if (!result.success)
    throw new Error(`cannot bundle ${entrypoint}:\n${result.logs.map((log) => log.message).join("\n")}`);
}

function leaveForLater(later: Readonly<Record<string, string>>): BunPlugin {
  return {
    name: "later",
    setup(build) {
      build.onResolve({ filter: /./ }, ({ path, kind }) => {
        const file = kind === "require-call" ? later[path] : undefined;
        if (file === undefined) return undefined;
        return { path: `/$bunfs/root/${relative(root, file).replace(/\.ts$/, ".js")}`, external: true };
      });
    },
  };
}
