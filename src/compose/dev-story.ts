// What a change of files does, in one line: which file, what is restarted for it, and what goes along. Words only.
import type { ServiceStatus } from "../ports/control.ts";
import type { Difference } from "./next-services.ts";

export interface Change {
  difference: Pick<Difference, "added" | "changed" | "removed" | "files" | "kept">;
  /** Files of the config that have changed. */
  config: readonly string[];
  /** Restarted because they need what is. */
  dependents: readonly string[];
  /** Tried again because they had failed. */
  retried: readonly string[];
  /** Paths below it are shown without it. */
  cwd: string;
}

/** More than so many files are counted. */
const FILES_MAX = 3;

export function storyOf({ difference, config, dependents, retried, cwd }: Change): string {
  const { added, changed, removed, files, kept } = difference;
  const show = (paths: readonly string[]) => shown(paths, cwd);
  const byCause = (names: Iterable<string>, what: string) => {
    const causes = new Map<string, string[]>();
    for (const name of names) {
      const own = files.get(name) ?? [];
      const cause = show(own.length > 0 ? own : config);
      causes.set(cause, [...(causes.get(cause) ?? []), name]);
    }
    return [...causes].map(([cause, each]) => `${cause} changed: ${what} ${each.join(", ")}`);
  };
  const all = new Set([...config, ...[...files.values()].flat()]);
  const parts = [...byCause(changed, "restarting"), ...byCause(kept.keys(), "cannot restart")];
  if (added.length > 0)
    parts.push(`${parts.length > 0 ? "" : `${show(config)} changed: `}starting ${added.join(", ")}`);
  if (removed.length > 0)
    parts.push(`${parts.length > 0 ? "" : `${show(config)} changed: `}stopping ${removed.join(", ")}`);
  if (dependents.length > 0) {
    const need = dependents.length === 1 ? "needs" : "need";
    const it = changed.length + added.length === 1 ? "it" : "them";
    parts.push(`then ${dependents.join(", ")}, which ${need} ${it}`);
  }
  if (parts.length === 0)
    parts.push(all.size === 0 ? "nothing has changed" : `${show([...all])} changed: nothing to restart`);
  if (retried.length > 0) parts.push(`trying ${retried.join(", ")} again`);
  return parts.join("; ");
}

function shown(paths: readonly string[], cwd: string): string {
  const names = paths.map((path) => (path.startsWith(`${cwd}/`) ? path.slice(cwd.length + 1) : path));
  if (names.length === 0) return "the environment";
  if (names.length <= FILES_MAX) return names.join(", ");
  return `${names.slice(0, FILES_MAX).join(", ")} and ${names.length - FILES_MAX} more`;
}

/** One line for each service, with its number. */
export function statusLines(services: readonly ServiceStatus[], nowMs: number): string[] {
  const width = Math.max(...services.map(({ name }) => name.length));
  return services.map((service, index) => {
    const { name, state, sinceMs, pid, restarts, reason } = service;
    const more = [
      pid === undefined ? "" : `pid ${pid}`,
      restarts === 0 ? "" : `${restarts} ${restarts === 1 ? "restart" : "restarts"}`,
      reason ?? "",
    ].filter((part) => part !== "");
    const since = sinceMs > 0 ? ` ${spanInWords(nowMs - sinceMs)}` : "";
    const head = `${String(index + 1).padStart(2)} ${name.padEnd(width)} ${state}${since}`;
    return [head, ...more].join(", ");
  });
}

function spanInWords(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds}s`;
  return seconds < 3600 ? `${Math.floor(seconds / 60)}m` : `${Math.floor(seconds / 3600)}h`;
}
