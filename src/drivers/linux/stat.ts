// Who a process is, by Linux's proc_pid_stat(5). Of who is gone, and elsewhere of anybody, it says nothing, without an error. By itself,
// since a run reads it before there is anybody to look for.
import { readFileSync } from "node:fs";

export interface Stat {
  /** One letter; `Z` is dead, and only not yet waited for. */
  state: string;
  parent: number;
  group: number;
  session: number;
  /** The group in front on its terminal; -1 without one. */
  front: number;
  flags: number;
  /** In ticks since the machine started; with the number of the process it is one process, and not merely its number. */
  startTime: string;
  /** Where its environment ends in its memory. Set late in an exec; `0` until then, and always for threads of the kernel. */
  environmentEnd: string;
}

export function statOf(pid: number | "self"): Stat | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return undefined;
  }
  if (text === "") return undefined;
  // The name before them, in brackets, may hold anything, brackets and spaces too.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const [state = "", parent, group, session, , front, flags] = fields;
  return {
    state,
    parent: Number(parent),
    group: Number(group),
    session: Number(session),
    front: Number(front),
    flags: Number(flags),
    startTime: fields[19] ?? "",
    environmentEnd: fields[48] ?? "",
  };
}
