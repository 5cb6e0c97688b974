// What this process owes to those it did not start itself: orphans that become its children are waited for, and what services
// leave behind is found and killed. Where the runtime has no way to do the first, it says so once and goes on.
import process from "node:process";
import { type Descendants, trackDescendants } from "../drivers/descendants.ts";
import { startReaper } from "../drivers/reaper.ts";
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
  descendants: Descendants;
  /** From now on orphans become our children and are waited for. Never rejects. */
  adopt(): Promise<void>;
  /** Kills what services have left behind; resolves when nobody is. */
  end(): Promise<void>;
}

export function orphans({ clock, log, env }: OrphansOptions): Orphans {
  const isLinux = process.platform === "linux";
  let adopts = isLinux && process.pid === 1;
  let stopReaping = (): void => {};
  const descendants = trackDescendants({ adopts: () => adopts, environment: env });
  return {
    descendants,
    async adopt() {
      if (!isLinux) return;
      try {
        const libc = await libcOfThisRuntime();
        stopReaping = startReaper({ libc, clock });
        adopts = true;
      } catch (error) {
        const advice = "; use the executable, or run under an init that does (docker run --init)";
        // As PID 1 they pile up; otherwise they are given to somebody who waits for them.
        if (process.pid === 1) log.warn(`cannot wait for orphans: ${messageOf(error)}${advice}`);
        else log.debug(`cannot adopt orphans: ${messageOf(error)}`);
      }
    },
    async end() {
      await descendants.end();
      stopReaping();
    },
  };
}

async function libcOfThisRuntime(): Promise<Libc> {
  if (typeof Bun !== "undefined") return (await import("../drivers/libc-bun.ts")).openLibc();
  if ("Deno" in globalThis) return (await import("../drivers/libc-deno.ts")).openLibc();
  throw new Error("Node has no way to call the C library");
}
