// Waits for the dead that nobody else will: orphans that became our children because we are PID 1 or asked for them. Bun's and
// Deno's own children, and those of modules, are never touched: their exit status belongs to whoever started them. Between
// deaths it has no timer.
import process from "node:process";
import type { Clock } from "../../ports/clock.ts";
import type { Libc } from "../../ports/libc.ts";
import { allPids, linkOf, namesIn, ownChildren, textOf } from "./proc.ts";

/** From <sys/prctl.h> and <sys/wait.h>; the same on every architecture. */
const PR_SET_CHILD_SUBREAPER = 36;
const P_ALL = 0;
const P_PID = 1;
const WNOHANG = 1;
/** Look at the dead without waiting for them. */
const LOOK = WNOHANG | 4 /* WEXITED */ | 0x0100_0000; /* WNOWAIT */
/** Where `si_pid` lies in a `siginfo_t` on 64 bits, counted in numbers of 32. */
const SI_PID = 4;
const SIGINFO_NUMBERS = 32;

/** How long somebody dead must have been seen before they count as an orphan. */
const ORPHANED_AFTER_MS = 1_000;
/** How often to look where deaths cannot be heard of. */
const UNHEARD_MS = 5_000;
/** How many are waited for in one turn of the loop: some two milliseconds. */
const BATCH = 256;

export interface ReaperOptions {
  libc: Libc;
  clock: Clock;
}

/**
 * From now on orphans among our descendants become our children (as they are PID 1's anyway), and the dead among them are waited
 * for. Returns a function that ends the waiting. Throws when the system refuses the adoption.
 */
export function startReaper({ libc, clock }: ReaperOptions): () => void {
  if (process.pid !== 1 && libc.prctl(PR_SET_CHILD_SUBREAPER, 1) !== 0)
    throw new Error("the system refuses PR_SET_CHILD_SUBREAPER");
  const hears = libc.hearsDeaths();
  let cancel: (() => void) | undefined;
  let ended = false;
  /** Who was dead when we looked last. */
  let seen: ReadonlySet<number> = new Set();

  const arm = (delayMs: number): void => {
    if (!ended) cancel ??= clock.after(delayMs, () => void look());
  };
  const look = async (): Promise<void> => {
    // Deaths that the loop has yet to tell of, because something held it up, are told first.
    await nextTurn();
    const dead = deadChildren(libc);
    const due = dead.filter((pid) => seen.has(pid));
    seen = new Set(dead);
    if (due.length > 0) await release(due, libc);
    cancel = undefined;
    if (dead.length > 0) arm(ORPHANED_AFTER_MS);
    else if (!hears) arm(UNHEARD_MS);
  };
  const onDeath = (): void => arm(ORPHANED_AFTER_MS);
  if (hears) process.on("SIGCHLD", onDeath);
  // For who has died before.
  arm(ORPHANED_AFTER_MS);
  return () => {
    ended = true;
    process.off("SIGCHLD", onDeath);
    cancel?.();
  };
}

const nextTurn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/** Waits for these, except those that this process, or a module in it, waits for itself. */
async function release(pids: readonly number[], libc: Libc): Promise<void> {
  const expected = expectedPids();
  for (const [index, pid] of pids.entries()) {
    if (index % BATCH === BATCH - 1) await nextTurn();
    if (!expected.has(pid)) libc.waitpid(pid, WNOHANG);
  }
}

function deadChildren(libc: Libc): number[] {
  const info = new Int32Array(SIGINFO_NUMBERS);
  const ask = (idType: number, id: number): number => {
    info[SI_PID] = 0;
    return libc.waitid(idType, id, info, LOOK) === 0 ? (info[SI_PID] ?? 0) : 0;
  };
  // One question when nobody is dead; when somebody is, the answer is always the same one, so that each has to be asked about.
  const first = ask(P_ALL, 0);
  if (first === 0) return [];
  // Perhaps more than our children.
  const children = ownChildren() ?? allPids();
  return (children.length > 0 ? children : [first]).filter((pid) => ask(P_PID, pid) === pid);
}

/**
 * Whom this process, whichever its thread, holds a pidfd of: Bun and Deno wait for their children by it. Nobody where there is no
 * /proc: the second that has passed must do.
 */
function expectedPids(): ReadonlySet<number> {
  return new Set(namesIn("/proc/self/fd").map(pidBehind));
}

/** The process that a descriptor of ours stands for; 0 when it stands for something else. */
function pidBehind(fd: string): number {
  if (!linkOf(`/proc/self/fd/${fd}`)?.includes("[pidfd]")) return 0;
  return Number(/^Pid:\s*(\d+)$/m.exec(textOf(`/proc/self/fdinfo/${fd}`) ?? "")?.[1] ?? 0);
}
