// What the container allows, read from the files of its control groups: version 1, version 2 and both at once. Where they lie is
// found once; their content is read at each question, since a limit can be changed while we run. It never writes, and what
// cannot be read is not limited.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Limits } from "../ports/control.ts";

/** Version 1 says "no limit" with the largest number of pages that fits; nobody has half of that. */
const UNLIMITED_BYTES = 2 ** 62;

/** One level of a hierarchy, the own group first, then those it lies in. */
type Level = (file: string) => string | undefined;

interface Mount {
  /** `cgroup` or `cgroup2`. */
  type: string;
  /** The group that stands at the mount point. */
  root: string;
  point: string;
  controllers: readonly string[];
}

interface Hierarchy {
  version: 1 | 2;
  levels: readonly Level[];
}

/**
 * Finds the groups of this process; the returned function reads their limits. `root` is a folder that stands for `/`.
 * The effective limit is the smallest on the way from the own group to the top, as far up as the mount shows.
 */
export function openCgroup({ root = "/" }: { root?: string } = {}): () => Limits {
  const mounts = readMounts(textOf(join(root, "proc/self/mountinfo")) ?? "");
  const groups = textOf(join(root, "proc/self/cgroup")) ?? "";
  const memory = hierarchyOf("memory", { root, mounts, groups });
  const cpu = hierarchyOf("cpu", { root, mounts, groups });
  return () => ({ ...memoryLimits(memory), ...cpuLimit(cpu) });
}

function hierarchyOf(
  controller: string,
  { root, mounts, groups }: { root: string; mounts: readonly Mount[]; groups: string },
): Hierarchy | undefined {
  const lines = groups.split("\n").map((line) => /^\d+:([^:]*):(.*)$/.exec(line));
  const pathWhere = (has: (controllers: string[]) => boolean) =>
    lines.find((line) => line && has((line[1] ?? "").split(",")))?.[2];

  // A controller is in one version at a time; where both are mounted, version 1 names those it has.
  const path1 = pathWhere((controllers) => controllers.includes(controller));
  const mount1 = mounts.find(
    ({ type, controllers }) => type === "cgroup" && controllers.includes(controller),
  );
  if (path1 !== undefined && mount1) return { version: 1, levels: levelsOf(mount1, path1, root) };
  const path2 = pathWhere((controllers) => controllers[0] === "");
  const mount2 = mounts.find(({ type }) => type === "cgroup2");
  if (path2 !== undefined && mount2) return { version: 2, levels: levelsOf(mount2, path2, root) };
  return undefined;
}

function levelsOf(mount: Mount, path: string, root: string): Level[] {
  // A container without a namespace of its own sees the host's path, while its group stands at the mount point.
  const top = mount.root === "/" ? "" : mount.root;
  const below = path === top || path.startsWith(`${top}/`) ? path.slice(top.length) : "";
  const names = below.includes("/..") ? [] : below.split("/").filter(Boolean);
  const folders = names.map((_, index) => names.slice(0, names.length - index).join("/"));
  return [...folders, ""]
    .map((folder) => join(root, mount.point, folder))
    .filter((folder) => existsSync(folder))
    .map((folder) => (file) => textOf(join(folder, file)));
}

function memoryLimits(hierarchy: Hierarchy | undefined): Limits {
  if (!hierarchy) return {};
  const [limitFile, usageFile, inactive] =
    hierarchy.version === 1
      ? (["memory.limit_in_bytes", "memory.usage_in_bytes", /^total_inactive_file (\d+)$/m] as const)
      : (["memory.max", "memory.current", /^inactive_file (\d+)$/m] as const);
  let memoryBytes = Infinity;
  // The use that counts is that of the group whose limit holds; of equal limits the outermost is reached first.
  let holder = hierarchy.levels[0];
  for (const level of hierarchy.levels) {
    const limit = numberIn(level(limitFile));
    if (limit === undefined || limit >= UNLIMITED_BYTES || limit > memoryBytes) continue;
    memoryBytes = limit;
    holder = level;
  }
  const usage = numberIn(holder?.(usageFile));
  // Cached files that nobody has touched lately are given back before anybody is killed.
  const spare = Number(inactive.exec(holder?.("memory.stat") ?? "")?.[1] ?? 0);
  return {
    ...(memoryBytes < Infinity && { memoryBytes }),
    ...(usage !== undefined && { memoryUsedBytes: Math.max(0, usage - spare) }),
  };
}

function cpuLimit(hierarchy: Hierarchy | undefined): Limits {
  if (!hierarchy) return {};
  const shares = hierarchy.levels.map((level) => {
    const text =
      hierarchy.version === 1
        ? `${level("cpu.cfs_quota_us")} ${level("cpu.cfs_period_us")}`
        : (level("cpu.max") ?? "");
    // `max` and -1 mean none.
    const [, quota, period] = /^(\d+) (\d+)$/.exec(text) ?? [];
    return Number(quota) / Number(period);
  });
  const cpus = Math.min(...shares.filter((share) => share > 0));
  return cpus < Infinity ? { cpus } : {};
}

/** The mounts of control groups, by proc_pid_mountinfo(5). */
function readMounts(text: string): Mount[] {
  return text.split("\n").flatMap((line) => {
    const [, root = "", point = "", type = "", options = ""] =
      /^\d+ \d+ \S+ (\S+) (\S+) .* - (cgroup2?) \S+ (\S+)$/.exec(line) ?? [];
    return type === ""
      ? []
      : [{ type, root: unescape(root), point: unescape(point), controllers: options.split(",") }];
  });
}

/** Spaces and the like stand in it as `\040`. */
const unescape = (path: string): string =>
  path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));

const numberIn = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return undefined;
  }
}
