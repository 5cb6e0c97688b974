// Services that are processes: argv without a shell, in a group of their own, on Bun, Deno and Node alike. It reports what
// happens and sends what it is told to; it never restarts, never waits for readiness and never signals a process that is gone.
import type { ChildProcess } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { resolve } from "node:path";
import process from "node:process";
import type { ProcessConfig } from "../config/config.ts";
import { messageOf } from "../errors.ts";
import type { Launcher, LaunchOutcome, Running } from "../ports/launcher.ts";

/**
 * How long after its exit a process's pipes may stay open before `exited` is reported all the same: something it started may
 * still hold them. What comes through is read on.
 */
const PIPE_GRACE_MS = 50;

/** Takes what a process writes to one of its streams. */
export interface ByteSink {
  /** A promise means the sink is full: the pipe is left unread until it resolves. */
  write(chunk: Uint8Array): Promise<void> | undefined;
  /** The stream has ended. */
  end(): void;
}

export interface ProcessLauncherOptions {
  process: ProcessConfig;
  /** What the process's own environment is added to. */
  environment: Readonly<Record<string, string | undefined>>;
  /** User and group to numbers; throws when a name is unknown. Asked at each launch. */
  lookUpIds(who: Pick<ProcessConfig, "user" | "group">): Ids;
  /** Asked once for each stream of each incarnation. */
  output(stream: "stdout" | "stderr"): ByteSink;
  /** Keeps track of what each incarnation brings forth. Without it only the process group is ended. */
  family?(incarnation: number): Family;
}

/** What comes of one incarnation: drivers/descendants.ts. */
interface Family {
  environment: Readonly<Record<string, string>>;
  born(pid: number): void;
  remember(): void;
  kill(): void;
  leave(): void;
  end(): Promise<void> | undefined;
}

interface Ids {
  uid?: number;
  gid?: number;
}

const NOTHING_RUNS: Running = { stop() {}, kill() {} };

export function processLauncher(options: ProcessLauncherOptions): Launcher {
  return {
    launch: (incarnation, report) => launch(options, { family: options.family?.(incarnation), report }),
  };
}

interface Launch {
  family: Family | undefined;
  report: (outcome: LaunchOutcome) => void;
}

function launch(options: ProcessLauncherOptions, { family, report }: Launch): Running {
  const { stopSignal } = options.process;
  const environment = { ...options.environment, ...options.process.environment, ...family?.environment };
  let ids: Ids = {};
  const fail = (error: unknown): void => {
    const reason = failureReason(error, { process: options.process, path: environment.PATH, ids });
    report({ type: "failed", reason, error });
  };

  // Some failures are thrown and some emitted; which ones differs between Bun, Deno and Node.
  let child: ChildProcess;
  try {
    ids = options.lookUpIds(options.process);
    child = spawnDetached(options.process, { environment, ids });
  } catch (error) {
    fail(error);
    return NOTHING_RUNS;
  }
  const { pid } = child;
  if (pid === undefined) {
    child.once("error", fail);
    return NOTHING_RUNS;
  }

  let stopping = false;
  family?.born(pid);
  pipe(child, options);
  report({ type: "launched", pid });
  reportExit(child, { report, left: () => (stopping ? family?.end() : family?.leave()) });
  const signalGroup = (signal: string): void => {
    // Once it has exited its number may belong to somebody else.
    if (child.exitCode !== null || child.signalCode !== null) return;
    try {
      process.kill(-pid, signal);
    } catch {
      // Gone between its death and our hearing of it.
    }
  };
  return {
    stop() {
      if (stopping) return;
      stopping = true;
      family?.remember();
      signalGroup(stopSignal);
      // Who is stopped cannot act on it.
      signalGroup("SIGCONT");
    },
    kill() {
      stopping = true;
      family?.kill();
      signalGroup("SIGKILL");
    },
  };
}

function spawnDetached(
  { argv, cwd, stdin }: ProcessConfig,
  { environment, ids }: { environment: Record<string, string | undefined>; ids: Ids },
): ChildProcess {
  const [command = "", ...args] = argv;
  return process.getBuiltinModule("node:child_process").spawn(command, args, {
    cwd,
    env: environment,
    ...ids,
    detached: true,
    stdio: [stdin === "null" ? "ignore" : "inherit", "pipe", "pipe"],
  });
}

/** Reads both streams into their sinks, and pauses where a sink is full. */
function pipe(child: ChildProcess, options: ProcessLauncherOptions): void {
  for (const name of ["stdout", "stderr"] as const) {
    const stream = child[name];
    const sink = options.output(name);
    stream?.on("data", (chunk: Uint8Array) => {
      const drained = sink.write(chunk);
      if (drained === undefined) return;
      stream.pause();
      void drained.then(() => stream.resume());
    });
    stream?.once("end", () => sink.end());
  }
}

interface Exit {
  report: (outcome: LaunchOutcome) => void;
  /** Called at its exit; a promise is waited for. */
  left: () => Promise<void> | undefined | void;
}

/** Reports `exited` once the process is gone and its streams are read, or have had their grace. */
function reportExit(child: ChildProcess, { report, left }: Exit): void {
  child.once("exit", (code, signal) => {
    const leaving = left();
    const exited = (): void => report({ type: "exited", code, signal });
    const done = (): void => {
      clearTimeout(grace);
      child.off("close", done);
      if (leaving) void leaving.then(exited);
      else exited();
    };
    const grace = setTimeout(done, PIPE_GRACE_MS);
    child.once("close", done);
  });
}

interface Attempt {
  process: ProcessConfig;
  /** The PATH the command was looked up in. */
  path: string | undefined;
  ids: Ids;
}

/** Why a spawn failed, in words. One errno has several causes, so the file system is asked which it was. */
function failureReason(error: unknown, attempt: Attempt): string {
  const { argv, cwd } = attempt.process;
  const name = JSON.stringify(argv[0]);
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
    case "EACCES":
    case "EPERM": {
      const folder = kindOf(cwd);
      if (folder === "none") return `working directory "${cwd}" does not exist`;
      if (folder === "file") return `working directory "${cwd}" is not a directory`;
      return commandFailure(name, { ...attempt, missing: code === "ENOENT" });
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

function commandFailure(name: string, attempt: Attempt & { missing: boolean }): string {
  const {
    process: { argv, cwd },
    path,
    ids,
  } = attempt;
  const command = argv[0] ?? "";
  const folders = command.includes("/") ? [""] : (path ?? "").split(":");
  const files = folders.map((folder) => resolve(cwd, folder, command));
  const file = files.find((candidate) => kindOf(candidate) !== "none");
  if (file === undefined) {
    return `command ${name} not found ${command.includes("/") ? `at ${files[0]}` : `in PATH (${path ?? "not set"})`}`;
  }
  if (kindOf(file) === "directory") return `command ${name} is a directory (${file})`;
  if (!isExecutable(file)) return `command ${name} is not executable; chmod +x ${file}`;
  if (attempt.missing) return `command ${name} (${file}) needs an interpreter or loader that does not exist`;
  const who = `uid ${ids.uid ?? process.getuid?.()}, gid ${ids.gid ?? process.getgid?.()}`;
  return `not permitted to run ${name} in "${cwd}" with ${who} (the runtime has uid ${process.getuid?.()})`;
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
