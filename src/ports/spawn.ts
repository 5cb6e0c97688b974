// How a process is started and its output read: the part of running one that Bun does cheaper in its own way than in the way
// all runtimes share. It knows nothing of services.

/** Takes what a process writes to one of its streams. */
export interface ByteSink {
  /** A promise means the sink is full: the pipe is left unread until it resolves. */
  write(chunk: Uint8Array): Promise<void> | undefined;
  /** The stream has ended. */
  end(): void;
}

/** Takes what a process writes to its notification descriptor. */
export interface NotificationSink {
  /** True when that was all: our end is then closed. */
  write(chunk: Uint8Array): boolean;
  /** It is closed, by either side. */
  end(): void;
}

export interface SpawnOptions {
  /** The command, looked up in the `PATH` of `environment`, and its arguments. */
  argv: readonly string[];
  cwd: string;
  /** All that it gets. */
  environment: Readonly<Record<string, string | undefined>>;
  uid?: number;
  gid?: number;
  stdin: "null" | "inherit";
  stdout: ByteSink;
  stderr: ByteSink;
  /** Gives it a descriptor of this number, above 2, to write to. */
  notification?: { fd: number; sink: NotificationSink };
  /** Called once, when it has ended; its streams may still be open. */
  onExit(code: number | null, signal: string | null): void;
  /** Called once, instead, when it could not be started and nothing was thrown. */
  onError(error: unknown): void;
}

export interface Spawned {
  pid: number;
  /** Whether it has ended: from then on its number may belong to somebody else. */
  readonly exited: boolean;
}

/**
 * Starts a process as the leader of a group of its own. Throws, or gives nothing and calls `onError`, when that fails; the
 * error has the system's `code`.
 */
export type Spawn = (options: SpawnOptions) => Spawned | undefined;
