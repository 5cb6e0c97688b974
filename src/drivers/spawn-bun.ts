// Starts processes with Bun's own `spawn`: it needs none of what `node:child_process` takes 10 ms to load, and a third less time
// for each process. Bun would give them sockets to write to, which nobody can open by a path such as /dev/stdout; where pipes can
// be had they get those. It decides nothing.
import { closeSync, fchownSync } from "node:fs";
import type { OpenPipe, Pipe } from "../ports/libc.ts";
import type { ByteSink, NotificationSink, Spawn, SpawnOptions } from "../ports/spawn.ts";

/** Who writes that much at once is slowed down by a pipe's 64 KiB. */
const MUCH_BYTES = 32 * 1024;

export function spawnWith(openPipe: OpenPipe): Spawn {
  return (options) => {
    const pipes: Pipes = { stdout: openPipe(), stderr: openPipe() };
    const opened = Object.values(pipes).filter((pipe) => pipe !== undefined);
    try {
      for (const { writeEnd } of opened) giveTo(options, writeEnd);
      const child = start(options, pipes);
      void read(pipes.stdout ?? child.stdout, options.stdout);
      void read(pipes.stderr ?? child.stderr, options.stderr);
      if (options.notification) void listen(child.stdio[options.notification.fd], options.notification.sink);
      return {
        pid: child.pid,
        get exited() {
          return child.exitCode !== null || child.signalCode !== null;
        },
      };
    } catch (error) {
      for (const { readEnd } of opened) closeSync(readEnd);
      throw error;
    } finally {
      // A pipe ends when nobody has this end any more.
      for (const { writeEnd } of opened) closeSync(writeEnd);
    }
  };
}

type Pipes = Record<"stdout" | "stderr", Pipe | undefined>;

function start(options: SpawnOptions, pipes: Pipes) {
  const { argv, cwd, environment, uid, gid, stdin, notification, onExit } = options;
  return Bun.spawn([...argv], {
    cwd,
    env: environment,
    ...(uid !== undefined && { uid }),
    ...(gid !== undefined && { gid }),
    detached: true,
    stdio: [
      stdin === "null" ? "ignore" : "inherit",
      pipes.stdout?.writeEnd ?? "pipe",
      pipes.stderr?.writeEnd ?? "pipe",
      // Above 2 it means that the descriptor stays closed.
      ...Array<"ignore">(notification ? notification.fd - 3 : 0).fill("ignore"),
      ...(notification ? (["pipe"] as const) : []),
    ],
    onExit(_child, code, signal) {
      // A realtime signal has a number and no name.
      if (typeof signal === "number") onExit(128 + signal, null);
      else onExit(code, signal);
    },
  });
}

/** Only its owner can open a pipe by its path. */
function giveTo({ uid, gid = -1 }: SpawnOptions, fd: number): void {
  if (uid === undefined) return;
  try {
    fchownSync(fd, uid, gid);
  } catch {
    // Who may not do this can still write to what it is given.
  }
}

/** Reads the source into the sink to its end, and leaves it unread while the sink is full. Never rejects. */
async function read(source: Pipe | ReadableStream<Uint8Array> | number | undefined, sink: ByteSink) {
  // So are the types of Bun: what was given no pipe has a stream.
  if (source === undefined || typeof source === "number") return;
  const pipe = "readEnd" in source ? source : undefined;
  const stream = "readEnd" in source ? Bun.file(source.readEnd).stream() : source;
  const reader = stream.getReader();
  let isWide = false;
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      if (!isWide && next.value.length >= MUCH_BYTES) {
        isWide = true;
        pipe?.widen();
      }
      const drained = sink.write(next.value);
      if (drained !== undefined) await drained;
    }
  } catch {
    // A pipe that cannot be read any more has ended.
  }
  // Whoever gives Bun a descriptor has to close it.
  if (pipe) closeSync(pipe.readEnd);
  sink.end();
}

/** Shows the sink what comes on the descriptor, and closes our end once it has seen enough. Never rejects. */
async function listen(fd: unknown, sink: NotificationSink): Promise<void> {
  if (typeof fd !== "number") return;
  const reader = Bun.file(fd).stream().getReader();
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      if (sink.write(next.value)) break;
    }
    await reader.cancel();
  } catch {
    // One that breaks is closed as well.
  }
  // Whoever asks Bun for the descriptor has to close it.
  closeSync(fd);
  sink.end();
}
