// A program that runs while something is done to it or looked at: started, waited for until its children are up, and told to end
// when the scope is left.
import { existsSync, readFileSync } from "node:fs";
import { BIRTHS, type Program } from "./peers.ts";
import { freePort, freshFile } from "./workshop.ts";

export interface Living extends AsyncDisposable {
  pid: number;
  /** The file in which its children say that they are up. */
  births: string;
}

const LOOK_MS = 10;
const PATIENCE_MS = 60_000;

/** Resolves once so many children are up. */
export async function livingOf(
  { command, env = {} }: Program,
  { births }: { births: number },
): Promise<Living> {
  const file = freshFile(BIRTHS);
  const child = Bun.spawn([...command], {
    env: { ...process.env, ...env, PORT: String(await freePort()) },
    stdio: ["ignore", "ignore", "ignore"],
  });
  const isUp = (): boolean => existsSync(file) && readFileSync(file, "utf8").split("\n").length > births;
  for (const endMs = performance.now() + PATIENCE_MS; !isUp(); await Bun.sleep(LOOK_MS)) {
    if (child.exitCode === null && performance.now() < endMs) continue;
    child.kill("SIGKILL");
    throw new Error(`${command[0]} did not come up`);
  }
  return {
    pid: child.pid,
    births: file,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await child.exited;
    },
  };
}
