// Makes what is measured: the executables, the small C programs, the configs; and a free port. Everything lies in one folder
// that goes when the bench ends, so nothing stale is ever measured.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compile } from "../build/compile.ts";
import { PRODUCT } from "../build/product.ts";
import { MissingTool } from "./row.ts";

const folder = mkdtempSync(join(tmpdir(), "haraka-bench-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
/** What is measured keeps its state here, and nothing in the working directory. */
process.env.HARAKA_DATA = join(folder, "state");
const made = new Map<string, Promise<string>>();

/** The path of `name` in the folder, made when it is first asked for. */
function make(name: string, create: (path: string) => Promise<void>): Promise<string> {
  const path = join(folder, name);
  const making = made.get(name) ?? create(path).then(() => path);
  made.set(name, making);
  return making;
}

export function haraka(): Promise<string> {
  return make("haraka", (path) => compile({ ...PRODUCT, outfile: path }));
}

/** `programs/NAME.ts` as an executable, with the flags of the product. */
export function executable(name: string): Promise<string> {
  return make(name, (outfile) =>
    compile({ entrypoint: join(import.meta.dir, "programs", `${name}.ts`), outfile }),
  );
}

/** `programs/NAME.c`, compiled without shared libraries. */
export function native(name: string): Promise<string> {
  return make(name, async (path) => {
    const compiler = tool("cc", "gcc libc6-dev");
    const source = join(import.meta.dir, "programs", `${name}.c`);
    const { exitCode, stderr } = Bun.spawnSync([compiler, "-O2", "-Wall", "-static", "-o", path, source]);
    if (exitCode !== 0) throw new Error(`cannot compile ${source}:\n${stderr.toString()}`);
  });
}

/** A config in a file of its own. JSON is YAML. */
export function config(name: string, content: object): Promise<string> {
  return make(`${name}.yaml`, async (path) => writeFileSync(path, JSON.stringify(content, undefined, 2)));
}

/** A path that nothing has been written to. */
export function freshFile(name: string): string {
  const path = join(folder, name);
  rmSync(path, { force: true });
  return path;
}

/** A folder with nothing in it. */
export function freshFolder(name: string): string {
  const path = join(folder, `${name}.d`);
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path);
  return path;
}

/** The path of a program that has to be there; who may, root, gets it installed. Throws `MissingTool` with how to get it. */
export function tool(name: string, packages = name): string {
  const path = Bun.which(name) ?? installed(name, packages);
  if (path === null) throw new MissingTool(`apt-get install ${packages}`);
  return path;
}

function installed(name: string, packages: string): string | null {
  const installer = Bun.which("apt-get");
  if (process.getuid?.() !== 0 || installer === null) return null;
  Bun.spawnSync([installer, "install", "-y", ...packages.split(" ")]);
  return Bun.which(name);
}

/** A port of this machine that was free just now. */
export async function freePort(): Promise<number> {
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
  const { port } = server;
  await server.stop(true);
  if (port === undefined) throw new Error("internal: the server has no port");
  return port;
}
