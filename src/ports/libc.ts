// The few functions of the C library that no JavaScript runtime has a word for, by their own names; Linux only. Bun and Deno open
// them, each in its way; Node cannot. Numbers go in as the system's headers define them, and nothing is decided here.

export interface Libc {
  /** prctl(2): 0, or -1 when it was refused. */
  prctl(option: number, value: number): number;
  /** waitid(2): 0 with the outcome in `info` (a `siginfo_t`, 128 bytes), or -1. */
  waitid(idType: number, id: number, info: Int32Array<ArrayBuffer>, options: number): number;
  /** waitpid(2) without the status: the process id, 0, or -1. */
  waitpid(pid: number, options: number): number;
  /**
   * Whether SIGCHLD can be listened to. Where the system has no pidfds (Linux before 5.3, gVisor, some seccomp filters) Bun
   * needs that signal for itself, and a listener gets in its way.
   */
  hearsDeaths(): boolean;
}

/** Two descriptors that no child inherits by itself: what is written to the one is read from the other. */
export interface Pipe {
  /** Reading it never waits. */
  readEnd: number;
  writeEnd: number;
  /** Lets it hold more than at first, if the system grants it. */
  widen(): void;
}

/** Nothing, where the system gives no more of them or cannot be asked. Both ends are the caller's to close. */
export type OpenPipe = () => Pipe | undefined;
