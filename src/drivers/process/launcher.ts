// Services that are processes: argv without a shell, in a group of their own. It reports what happens and sends what it is told
// to; it never restarts, never waits for readiness and never signals a process that is gone.
import process from "node:process";
import type { ProcessConfig } from "../../config/config.ts";
import type { Launcher, LaunchOutcome, Running } from "../../ports/launcher.ts";
import type { ByteSink, NotificationSink, Spawn, Spawned } from "../../ports/spawn.ts";
import { failureReason } from "./launch-problem.ts";
import type { Ids } from "./users.ts";

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

function nextTurn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
