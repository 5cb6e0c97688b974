// Finds what a process service has brought forth and left behind, also what called setsid() or forked twice, and kills it. Whom
// it signals it knows by process id and start time together, so a number that has passed on to somebody else is left alone. It
// reads Linux's /proc; elsewhere it finds nobody, and the process group is all there is.
//
// Whose a process is, stands in its environment: HARAKA_INCARNATION holds RUN/SERVICE/N, one word for each runtime it comes from,
// the outermost first. One that has wiped its environment, or that runs as another user while we may not look into it (root
// without CAP_SYS_PTRACE), is found only if it hung below its service when that was told to end.
import process from "node:process";
import { allPids, childrenNow, ownChildren, textOf } from "./proc.ts";
import { statOf } from "./stat.ts";

const VARIABLE = "HARAKA_INCARNATION";

/** How long to wait for what has been sent SIGKILL: longer takes only what the kernel itself holds up. */
const KILLED_MS = 1_000;
const LOOK_AGAIN_MS_MAX = 20;

/** In a process's flags: it is a thread of the kernel. */
const PF_KTHREAD = 0x0020_0000;

/** One incarnation of a process service, and all that comes of it. */
export interface Family {
  /** To be added to its environment. */
  environment: Readonly<Record<string, string>>;
  born(pid: number): void;
  /** It is about to be told to end: remembers who hangs below it. */
  remember(): void;
  /** It is about to be killed: from now on nobody who is left gets time. After its exit, too. */
  kill(): void;
  /** It has exited by itself. What it leaves may stay until the service's next incarnation. */
  leave(): void;
  /**
   * It has exited as it was told. Kills who is left outside its group; those in it were told together with it and have until
   * `kill`. `undefined` when nobody is left, otherwise resolves when nobody is.
   */
  end(): Promise<void> | undefined;
}

export interface Descendants {
  /** A new incarnation begins; what is left of the service's last one is killed. */
  of(service: string, incarnation: number): Family;
  /** Kills what is left of any incarnation; resolves when nobody is. */
  end(): Promise<void>;
}

export interface DescendantsOptions {
  /** Whether orphans become our children: then nobody else has to be looked at. */
  adopts: () => boolean;
  /** Our own environment, in which an outer runtime may have left its word. */
  environment: Readonly<Record<string, string | undefined>>;
}

/** A process, and not merely its number. */
export interface Identity {
  pid: number;
  /** In ticks since the machine started. */
  startTime: string;
}

interface Living extends Identity {
  group: number;
  /** It is becoming another program just now, and whose it is cannot be told until it has. */
  unclear?: true;
}

export function trackDescendants({ adopts, environment }: DescendantsOptions): Descendants {
  const run = crypto.randomUUID();
  const outer = environment[VARIABLE] === undefined ? "" : `${environment[VARIABLE]} `;
  /** The services' own processes that run. */
  const heads = new Set<number>();
  /** By service, the mark of an incarnation that has exited by itself. */
  const gone = new Map<string, string>();

  /** Who bears a mark that begins so, the services' own processes aside. */
  const bearers = (mark: string): Living[] => {
    const candidates = (adopts() ? ownChildren() : undefined) ?? allPids();
    return candidates.flatMap((pid) => (heads.has(pid) ? [] : (bearer(pid, mark) ?? [])));
  };
  const killAll = async (mark: string): Promise<void> =>
    outlive(() => bearers(mark), { isDoomed: () => true });
  return {
    of(service, incarnation) {
      const last = gone.get(service);
      gone.delete(service);
      if (last !== undefined) void killAll(last);
      const word = `${run}/${encodeURIComponent(service)}/${incarnation}`;
      // The end of a word belongs to the mark, so that 1 is not the beginning of 10.
      const mark = `${word} `;
      return familyOf({
        environment: { [VARIABLE]: outer + word },
        heads,
        bearers: () => bearers(mark),
        onLeft: () => void gone.set(service, mark),
      });
    },
    async end() {
      // Who still hangs below one that runs, as the command of a probe, is not among our children yet.
      const below = (): Living[] =>
        [...heads].flatMap((pid) => [living(pid) ?? [], descendantsOf(pid)].flat());
      await outlive(() => merge(below(), bearers(`${run}/`)), { isDoomed: () => true });
    },
  };
}

interface FamilyOptions {
  environment: Readonly<Record<string, string>>;
  heads: Set<number>;
  bearers: () => Living[];
  onLeft: () => void;
}

function familyOf({ environment, heads, bearers, onLeft }: FamilyOptions): Family {
  let head = 0;
  let killing = false;
  let remembered: readonly Living[] = [];
  const remember = (): void => void (remembered = descendantsOf(head));

  const survivors = (): Living[] => merge(remembered, bearers());
  return {
    environment,
    born(pid) {
      head = pid;
      heads.add(pid);
    },
    remember,
    kill() {
      killing = true;
      if (heads.has(head)) remember();
    },
    leave() {
      heads.delete(head);
      onLeft();
    },
    end() {
      heads.delete(head);
      return outlive(survivors, { isDoomed: ({ group }) => killing || group !== head });
    },
  };
}

/**
 * Kills the doomed among those that `look` finds, and those that come up when they fall, until nobody is left or all who are left
 * have had their time. `undefined` when nobody is there to begin with.
 */
function outlive(
  look: () => Living[],
  { isDoomed }: { isDoomed: (each: Living) => boolean },
): Promise<void> | undefined {
  const first = look();
  return first.length === 0 ? undefined : outliveThese(first);

  async function outliveThese(found: readonly Living[]): Promise<void> {
    let dueMs = 0;
    let waitMs = 1;
    for (let left = found; left.length > 0 && dueMs < KILLED_MS; left = merge(left, look())) {
      left.filter((each) => !each.unclear && isDoomed(each)).forEach(killIfSame);
      await new Promise((resolve) => setTimeout(resolve, waitMs));
      dueMs = left.every((each) => each.unclear ?? isDoomed(each)) ? dueMs + waitMs : 0;
      waitMs = Math.min(waitMs * 2, LOOK_AGAIN_MS_MAX);
    }
  }
}

/** Those of `before` who still live, though a dying one loses its environment before it is dead, and those found now. */
function merge(before: readonly Living[], now: readonly Living[]): Living[] {
  const known = before.flatMap((each) => (each.unclear ? [] : (sameNow(each) ?? [])));
  return [...new Map([...known, ...now].map((each) => [each.pid, each])).values()];
}

/** Everybody alive below `pid`, however deep, whatever their session or group. A broken chain hides what hung on it. */
export function descendantsOf(pid: number): Living[] {
  const childrenOf = childrenNow();
  const found: Living[] = [];
  // Not recursive: a chain may be long.
  for (const queue = [...childrenOf(pid)]; queue.length > 0;) {
    const child = queue.pop() ?? 0;
    const each = living(child);
    if (each) found.push(each);
    queue.push(...childrenOf(child));
  }
  return found;
}

/** Sends SIGKILL, unless that process is gone, even if its number is somebody else's by now. */
export function killIfSame(who: Identity): void {
  if (!sameNow(who)) return;
  try {
    process.kill(who.pid, "SIGKILL");
  } catch {
    // Gone just now, or another user's whom we may not kill.
  }
}

function sameNow({ pid, startTime }: Identity): Living | undefined {
  const now = living(pid);
  return now?.startTime === startTime ? now : undefined;
}

/** Who it is, if the mark is in its environment or may come to be. */
function bearer(pid: number, mark: string): Living | undefined {
  const environment = textOf(`/proc/${pid}/environ`);
  if (environment === undefined) return undefined;
  if (environment === "") {
    const who = isBetweenPrograms(pid) ? living(pid) : undefined;
    return who && { ...who, unclear: true };
  }
  const entry = environment.split("\0").find((each) => each.startsWith(`${VARIABLE}=`));
  const words = entry?.slice(VARIABLE.length + 1);
  return words !== undefined && ` ${words} `.includes(` ${mark}`) ? living(pid) : undefined;
}

/** `undefined` when it is dead, too, and only not yet waited for. */
function living(pid: number): Living | undefined {
  const stat = statOf(pid);
  if (stat === undefined || stat.state === "Z" || stat.state === "X") return undefined;
  return { pid, startTime: stat.startTime, group: stat.group };
}

/** In an exec. */
function isBetweenPrograms(pid: number): boolean {
  const stat = statOf(pid);
  return stat?.environmentEnd === "0" && (stat.flags & PF_KTHREAD) === 0;
}
