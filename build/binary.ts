// Builds the one executable: `dist/haraka` for this machine, or `dist/haraka-TARGET` for another with `--target=TARGET`.
// The Bun inside a foreign executable comes from the npm registry, in the version that runs this script. A file appears under
// its name only when complete, so several builds may run at once. It runs nothing of what it builds.
import { $ } from "bun";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { compile } from "./compile.ts";
import { PRODUCT } from "./product.ts";
import { signForMac } from "./sign-mac.ts";

const targets = [
  "linux-x64",
  "linux-x64-musl",
  "linux-arm64",
  "linux-arm64-musl",
  "darwin-x64",
  "darwin-arm64",
] as const;
type Target = (typeof targets)[number];

const root = join(import.meta.dir, "..");
const dist = join(root, "dist");

function parseTarget(name: string | undefined): Target | undefined {
  const target = targets.find((known) => known === name);
  if (name !== undefined && target === undefined) {
    throw new Error(`cannot build for "${name}": no such target; choose one of ${targets.join(", ")}`);
  }
  return target;
}

/** Installs the target's Bun in `folder` and returns the path of its executable. */
async function installBun(target: Target, folder: string): Promise<string> {
  const name = `@oven/bun-${target.replace("arm64", "aarch64")}`;
  const [os, cpu] = target.split("-");
  await Bun.write(join(folder, "package.json"), JSON.stringify({ dependencies: { [name]: Bun.version } }));
  const install = await $`${process.execPath} install --os=${os} --cpu=${cpu} --ignore-scripts`
    .cwd(folder)
    .nothrow()
    .quiet();
  const executable = join(folder, "node_modules", name, "bin", "bun");
  if (install.exitCode !== 0 || !(await Bun.file(executable).exists())) {
    throw new Error(
      `cannot build for "${target}": the registry has no ${name}@${Bun.version}\n${install.stderr.toString()}`,
    );
  }
  return executable;
}

async function build(target: Target | undefined): Promise<string> {
  await mkdir(dist, { recursive: true });
  const folder = await mkdtemp(join(dist, ".build-"));
  try {
    const finished = join(dist, target === undefined ? "haraka" : `haraka-${target}`);
    const unfinished = join(folder, "haraka");
    await compile({
      ...PRODUCT,
      outfile: unfinished,
      ...(target && {
        foreign: { target: `bun-${target}`, executablePath: await installBun(target, folder) },
      }),
    });
    // That for arm64 is signed by the bundler.
    if ((target ?? `${process.platform}-${process.arch}`) === "darwin-x64")
      await signForMac(unfinished, { name: "haraka" });
    await rename(unfinished, finished);
    return finished;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

try {
  const { values } = parseArgs({ options: { target: { type: "string" } } });
  console.log(await build(parseTarget(values.target)));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
