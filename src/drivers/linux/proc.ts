// Which processes there are by Linux's /proc, and whose children. Elsewhere, of who is gone and of who may not be looked into it says
// nothing, without an error. It signals nobody and waits for nobody; who one of them is, stat.ts says.
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import process from "node:process";
import { statOf } from "./stat.ts";

/** Our children. Orphans are given to the first thread. `undefined` where the kernel is built without such files. */
export function ownChildren(): number[] | undefined {
  if (!isOwnProc() || !hasChildrenFiles()) return undefined;
  const text = textOf(`/proc/self/task/${process.pid}/children`);
  return text === undefined ? undefined : pidsIn(text);
}

/** How to find who was brought forth by somebody and has not been given to another parent; of use for this moment only. */
export function childrenNow(): (pid: number) => readonly number[] {
  if (!isOwnProc()) return () => [];
  return hasChildrenFiles() ? childrenByFile : childrenByParent();
}

function childrenByFile(pid: number): number[] {
  // Each thread has its own.
  return namesIn(`/proc/${pid}/task`).flatMap((thread) =>
    pidsIn(textOf(`/proc/${pid}/task/${thread}/children`)),
  );
}

function childrenByParent(): (pid: number) => readonly number[] {
  const children = Map.groupBy(allPids(), (pid) => statOf(pid)?.parent);
  return (pid) => children.get(pid) ?? [];
}

/** Nobody where the numbers there are not those that we can signal. */
export const allPids = (): number[] =>
  isOwnProc() ? namesIn("/proc").map(Number).filter(Number.isInteger) : [];

const pidsIn = (text = ""): number[] => text.split(" ").filter(Boolean).map(Number);

/** Asked often, answered once: neither changes while a process lives. */
const hasChildrenFiles = once(() => existsSync(`/proc/self/task/${process.pid}/children`));

/** Whether the numbers in /proc are those that we can signal, not those of another namespace. */
const isOwnProc = once(() => linkOf("/proc/self") === String(process.pid));

function once(ask: () => boolean): () => boolean {
  let answer: boolean | undefined;
  return () => (answer ??= ask());
}

export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

export function textOf(path: string, encoding: "latin1" | "utf8" = "latin1"): string | undefined {
  try {
    return readFileSync(path, encoding);
  } catch {
    return undefined;
  }
}

/** Where it leads to. */
export function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
