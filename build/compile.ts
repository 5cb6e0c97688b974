// How a program becomes one executable: the flags are the same for the product and for what it is measured against.
// It decides neither where the Bun inside comes from nor where the result belongs.

/** Bundles `entrypoint` into the executable `outfile`; throws with what the bundler said. */
export async function compile(
  entrypoint: string,
  outfile: string,
  foreign: Partial<Bun.CompileBuildOptions> = {},
): Promise<void> {
  const result = await Bun.build({
    entrypoints: [entrypoint],
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
