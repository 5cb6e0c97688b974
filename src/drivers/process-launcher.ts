// Services that are processes: argv without a shell, in a group of their own. It reports what happens and sends what it is told
// to, and can tell beforehand what would keep one from starting; it never restarts, never waits for readiness and never signals a
// process that is gone.
import { accessSync, constants, statSync } from "node:fs";
import process from "node:process";
import type { ProcessConfig } from "../config/config.ts";
import { messageOf } from "../errors.ts";
import type { Launcher, LaunchOutcome, Running } from "../ports/launcher.ts";
import type { ByteSink, NotificationSink, Spawn, Spawned } from "../ports/spawn.ts";

/**
 * How long after its exit a process's pipes may stay open before `exited` is reported all the same: something it started may
 * still hold them. What comes through is read on.
 */
const PIPE_GRACE_MS = 50;
/**
 * So much is read of a stream before everything else has its turn: Bun and Deno hand out within one turn whatever is there already,
 * so that who writes as fast as it is read would keep them for ever.
 */
const TURN_BYTES = 1024 * 1024;

export interface ProcessLauncherOptions {
  process: ProcessConfig;
  /** What the process's own environment is added to. */
  environment: Readonly<Record<string, string | undefined>>;
  /** Starts it. */
  spawn: Spawn;
  /** User and group to numbers; throws when a name is unknown. Asked at each launch. */
  lookUpIds(who: Pick<ProcessConfig, "user" | "group">): Ids;
  /** Asked once for each stream of each incarnation. */
  output(stream: "stdout" | "stderr"): ByteSink;
  /** Asked once for each incarnation of a process with a `notificationFd`, which it has only if this is given. */
  notification?(): NotificationSink;
  /** Keeps track of what each incarnation brings forth. Without it only the process group is ended. */
  family?(incarnation: number): Family;
}

/** What comes of one incarnation: drivers/descendants.ts. */
interface Family {
  environment: Readonly<Record<string, string>>;
  born(pid: number): void;
  remember(): void;
  kill(): void;
  leave(): Promise<void> | undefined | void;
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
  const { argv, cwd, stdin, stopSignal, notificationFd } = options.process;
  const environment = { ...options.environment, ...options.process.environment, ...family?.environment };
  let ids: Ids = {};
  let stopping = false;
  const end = ending({ report, left: () => (stopping ? family?.end() : family?.leave()) });
  const streams = {
    stdout: end.after(options.output("stdout")),
    stderr: end.after(options.output("stderr")),
  };
  const fail = (error: unknown): void => {
    streams.stdout.end();
    streams.stderr.end();
    const reason = failureReason(error, { process: options.process, path: environment.PATH, ids });
    report({ type: "failed", reason });
  };

  // Some failures are thrown and some told later; which ones differs between Bun, Deno and Node.
  let child: Spawned | undefined;
  try {
    ids = options.lookUpIds(options.process);
    child = options.spawn({
      argv,
      cwd,
      environment,
      ...ids,
      stdin,
      ...streams,
      ...(notificationFd !== undefined &&
        options.notification && { notification: { fd: notificationFd, sink: options.notification() } }),
      onExit: end.onExit,
      onError: fail,
    });
  } catch (error) {
    fail(error);
  }
  if (child === undefined) return NOTHING_RUNS;

  const { pid } = child;
  family?.born(pid);
  report({ type: "launched", pid });
  const send = (to: number, signal: string): void => {
    if (child.exited) return;
    try {
      process.kill(to, signal);
    } catch {
      // Gone between its death and our hearing of it.
    }
  };
  const signalGroup = (signal: string): void => send(-pid, signal);
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
    signal: (name) => send(pid, name),
  };
}

interface Exit {
  report: (outcome: LaunchOutcome) => void;
  /** Called at its exit; a promise is waited for. */
  left: () => Promise<void> | undefined | void;
}

/** Reports `exited` once the process is gone and its streams are read, or have had their grace. */
function ending({ report, left }: Exit): {
  after(sink: ByteSink): ByteSink;
  onExit(code: number | null, signal: string | null): void;
} {
  let open = 0;
  let done: (() => void) | undefined;
  return {
    after(sink) {
      open++;
      let bytes = 0;
      return {
        write(chunk) {
          const drained = sink.write(chunk);
          bytes += chunk.length;
          if (bytes < TURN_BYTES) return drained;
          bytes = 0;
          return drained === undefined ? nextTurn() : drained.then(nextTurn);
        },
        end() {
          sink.end();
          if (--open === 0) done?.();
        },
      };
    },
    onExit(code, signal) {
      const leaving = left();
      const gone = (): void => report({ type: "exited", code, signal });
      const exited = (): void => {
        clearTimeout(grace);
        done = undefined;
        if (leaving) void leaving.then(gone);
        else gone();
      };
      const grace = setTimeout(exited, PIPE_GRACE_MS);
      done = exited;
      if (open === 0) exited();
    },
  };
}

/** Why it would not start, as far as can be told without trying, in the words of a launch that fails; absent: nothing is known. */
export function launchProblem({
  process: service,
  environment,
  lookUpIds,
}: Pick<ProcessLauncherOptions, "process" | "environment" | "lookUpIds">): string | undefined {
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
function failureReason(error: unknown, attempt: Attempt): string {
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

function nextTurn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
