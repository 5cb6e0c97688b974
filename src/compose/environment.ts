// The environment of module services, which is this process's own: what a file with variables adds is put there, and taken away
// again when another reading no longer has it.
import process from "node:process";

type Environment = Readonly<Record<string, string | undefined>>;

/** What differs from `before`, which is what was adopted the last time; what modules have changed themselves stays. */
export function adoptEnvironment(env: Environment, before: Environment): void {
  for (const name of new Set([...Object.keys(before), ...Object.keys(env)])) {
    const value = env[name];
    if (value === before[name]) continue;
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
}
