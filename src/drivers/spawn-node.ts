// Starts processes with `node:child_process`, as Node, Deno and Bun all have it. It decides nothing.
import type { Readable, Writable } from "node:stream";
import type { ByteSink, NotificationSink, SpawnOptions, Spawned } from "../ports/spawn.ts";

export function spawn(options: SpawnOptions): Spawned | undefined {
  const { argv, cwd, environment, uid, gid, stdin, stdout, stderr, notification, onExit, onError } = options;
  const [command = "", ...args] = argv;
  const child = process.getBuiltinModule("node:child_process").spawn(command, args, {
    cwd,
    env: environment,
    ...(uid !== undefined && { uid }),
    ...(gid !== undefined && { gid }),
    detached: true,
    stdio: [
      stdin === "null" ? "ignore" : "inherit",
      "pipe",
      "pipe",
      // Above 2 it means that the descriptor stays closed.
      ...Array<"ignore">(notification ? notification.fd - 3 : 0).fill("ignore"),
      ...(notification ? (["pipe"] as const) : []),
    ],
  });
  const { pid } = child;
  if (pid === undefined) {
    child.once("error", onError);
    return undefined;
  }
  read(child.stdout, stdout);
  read(child.stderr, stderr);
  if (notification) listen(child.stdio[notification.fd], notification.sink);
  child.once("exit", onExit);
  return {
    pid,
    get exited() {
      return child.exitCode !== null || child.signalCode !== null;
    },
  };
}

/** Reads the stream into the sink, and pauses while the sink is full. */
function read(stream: NodeJS.ReadableStream | null, sink: ByteSink): void {
  stream?.on("data", (chunk: Uint8Array) => {
    const drained = sink.write(chunk);
    if (drained === undefined) return;
    stream.pause();
    void drained.then(() => stream.resume());
  });
  stream?.once("close", () => sink.end());
}

/** Shows the sink what comes, and closes our end once it has seen enough. */
function listen(stream: Readable | Writable | null | undefined, sink: NotificationSink): void {
  stream?.on("data", (chunk: Uint8Array) => {
    if (sink.write(chunk)) stream.destroy();
  });
  // One that breaks is closed as well.
  stream?.on("error", () => {});
  stream?.once("close", () => sink.end());
}
