// Why a command cannot be started, in words: what its name leads to, what stands there, and who may run it. It asks the file system, and
// starts nothing. Read with the launcher, not when it is needed: without file descriptors nothing more could be read.
import { accessSync, constants, statSync } from "node:fs";
import process from "node:process";
import type { ProcessConfig } from "../../config/config.ts";
import { messageOf } from "../../errors.ts";
import type { Ids } from "./users.ts";

export interface LaunchProblemOptions {
  process: ProcessConfig;
  /** What the process's own environment is added to. */
  environment: Readonly<Record<string, string | undefined>>;
  /** Throws when a name is unknown. */
  lookUpIds(who: Pick<ProcessConfig, "user" | "group">): Ids;
}

/** Why it would not start, as far as can be told without trying, in the words of a launch that fails; absent: nothing is known. */
export function launchProblem({
  process: service,
  environment,
  lookUpIds,
}: LaunchProblemOptions): string | undefined {
  try {
    lookUpIds(service);
  } catch (error) {
    return messageOf(error);
  }
  const path = { ...environment, ...service.environment }.PATH;
  const isAnywhere = !path && !service.argv[0]?.includes("/");
  return folderProblem(service.cwd) ?? (isAnywhere ? undefined : lookUp(service, path).problem);
}

interface Attempt {
  process: ProcessConfig;
  /** The PATH the command was looked up in. */
  path: string | undefined;
  ids: Ids;
}

/** Why a spawn failed, in words. One errno has several causes, so the file system is asked which it was. */
export function failureReason(error: unknown, attempt: Attempt): string {
  const { argv, cwd } = attempt.process;
  const name = JSON.stringify(argv[0]);
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
    case "EACCES":
    case "EPERM": {
      const { file, problem } = lookUp(attempt.process, attempt.path);
      const known = folderProblem(cwd) ?? problem;
      if (known !== undefined) return known;
      if (code === "ENOENT")
        return `command ${name} (${file}) needs an interpreter or loader that does not exist`;
      return notPermitted(attempt);
    }
    case "ENOEXEC":
      return `command ${name} is neither a program for this machine nor a script with a #! line`;
    case "E2BIG":
      return `arguments and environment of ${name} are larger than the system takes`;
    case "EMFILE":
    case "ENFILE":
      return "no file descriptors left; raise the limit (ulimit -n)";
    case "EAGAIN":
      return "no processes left; raise the limit (ulimit -u, or pids of the container)";
    default:
      return messageOf(error);
  }
}

function notPermitted({ process: { argv, cwd }, ids }: Attempt): string {
  const who = `uid ${ids.uid ?? process.getuid?.()}, gid ${ids.gid ?? process.getgid?.()}`;
  return `not permitted to run ${JSON.stringify(argv[0])} in "${cwd}" with ${who} (the runtime has uid ${process.getuid?.()})`;
}

function folderProblem(cwd: string): string | undefined {
  const kind = kindOf(cwd);
  if (kind === "none") return `working directory "${cwd}" does not exist`;
  return kind === "file" ? `working directory "${cwd}" is not a directory` : undefined;
}

/** The program that a command stands for, or what is wrong with the nearest to one. */
function lookUp(
  { argv, cwd }: ProcessConfig,
  path: string | undefined,
): { file: string; problem?: undefined } | { file?: undefined; problem: string } {
  const command = argv[0] ?? "";
  const name = JSON.stringify(command);
  const folders = command.includes("/") ? [""] : (path ?? "").split(":");
  const { resolve } = process.getBuiltinModule("node:path");
  const files = folders.map((folder) => resolve(cwd, folder, command));
  const program = files.find((file) => kindOf(file) === "file" && isExecutable(file));
  if (program !== undefined) return { file: program };
  const nearest = files.find((file) => kindOf(file) !== "none");
  if (nearest === undefined) {
    const where = command.includes("/") ? `at ${files[0]}` : `in PATH (${path ?? "not set"})`;
    return { problem: `command ${name} not found ${where}` };
  }
  if (kindOf(nearest) === "directory") return { problem: `command ${name} is a directory (${nearest})` };
  return { problem: `command ${name} is not executable; chmod +x ${nearest}` };
}

function kindOf(path: string): "none" | "file" | "directory" {
  try {
    return statSync(path).isDirectory() ? "directory" : "file";
  } catch {
    return "none";
  }
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
