// What this process owes to those it did not start itself: orphans that become its children are waited for, and what services
// leave behind is found and killed. Where the runtime has no way to do the first, it says so once and goes on.
import process from "node:process";
import type { Descendants } from "../drivers/linux/descendants.ts";
import { messageOf } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";
import type { Libc } from "../ports/libc.ts";
import type { Log } from "../ports/log.ts";

export interface OrphansOptions {
  clock: Clock;
  log: Log;
  env: Readonly<Record<string, string | undefined>>;
}

export interface Orphans {
  /** Finds what services leave behind. From the first call on orphans become our children and are waited for. Never rejects. */
  descendants(): Promise<Descendants>;
  /** Kills what services have left behind; resolves when nobody is. */
  end(): Promise<void>;
}

/** Nothing of it is loaded before it is needed: a run of modules alone leaves nobody behind. */
export function adoption(options: OrphansOptions): Orphans {
  let opened: Promise<{ descendants: Descendants; stopReaping: () => void }> | undefined;
  return {
    descendants: async () => (await (opened ??= open(options))).descendants,
    async end() {
      const { descendants, stopReaping } = (await opened) ?? {};
      await descendants?.end();
      stopReaping?.();
    },
  };
}

async function open({ clock, log, env }: OrphansOptions) {
  const { trackDescendants } = await import("../drivers/linux/descendants.ts");
  const isLinux = process.platform === "linux";
  let adopts = isLinux && process.pid === 1;
  let stopReaping = (): void => {};
  const descendants = trackDescendants({ adopts: () => adopts, environment: env });
  try {
    if (isLinux) {
      const { startReaper } = await import("../drivers/linux/reaper.ts");
      stopReaping = startReaper({ libc: await libcOfThisRuntime(), clock });
      adopts = true;
    }
  } catch (error) {
    const advice = "; use the executable, or run under an init that does (docker run --init)";
    // As PID 1 they pile up; otherwise they are given to somebody who waits for them.
    if (process.pid === 1) log.warn(`cannot wait for orphans: ${messageOf(error)}${advice}`);
    else log.debug(`cannot adopt orphans: ${messageOf(error)}`);
  }
  return { descendants, stopReaping };
}

async function libcOfThisRuntime(): Promise<Libc> {
  if (typeof Bun !== "undefined") return (await import("../drivers/libc-bun.ts")).openLibc();
  if ("Deno" in globalThis) return (await import("../drivers/libc-deno.ts")).openLibc();
  throw new Error("Node has no way to call the C library");
}
