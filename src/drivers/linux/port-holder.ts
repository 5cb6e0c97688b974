// Who listens on a TCP port, for the message that says it is taken. Reads /proc, so it knows on Linux only, and only about
// processes this user may look into; it never guesses.
import { linkOf, namesIn, textOf } from "./proc.ts";

export interface PortHolder {
  pid: number;
  /** Its command line, arguments joined by spaces. */
  command: string;
}

/** The process that listens on `port`, or undefined when that cannot be found out. */
export function findPortHolder(port: number): PortHolder | undefined {
  const sockets = new Set(
    ["/proc/net/tcp", "/proc/net/tcp6"].flatMap((file) => listeningSockets(file, port)),
  );
  if (sockets.size === 0) return undefined;
  const pid = namesIn("/proc").find((entry) => /^\d+$/.test(entry) && holdsOne(entry, sockets));
  if (pid === undefined) return undefined;
  const words = textOf(`/proc/${pid}/cmdline`, "utf8") ?? "";
  return { pid: Number(pid), command: words.replaceAll("\0", " ").trim() };
}

const LISTEN = "0A";

/** The links by which a process's descriptors show the sockets that listen on `port`. Columns: proc_net_tcp(5). */
function listeningSockets(file: string, port: number): string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return (textOf(file) ?? "")
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local, , state]) => local?.endsWith(suffix) && state === LISTEN)
    .map((columns) => `socket:[${columns[9]}]`);
}

function holdsOne(pid: string, sockets: ReadonlySet<string>): boolean {
  const folder = `/proc/${pid}/fd`;
  return namesIn(folder).some((fd) => sockets.has(linkOf(`${folder}/${fd}`) ?? ""));
}
