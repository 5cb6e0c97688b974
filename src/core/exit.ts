// Exit codes of ended processes, as a shell counts them.

/** Exit code of a process that ended with a code or was ended by a signal: the shell's `128 + n`. */
export function exitCodeOf(exit: { code: number | null; signal: string | null }): number {
  return exit.code ?? 128 + (SIGNAL_NUMBERS[exit.signal ?? ""] ?? 0);
}

/** How something ended, in words, and the exit code it stands for; with a `reason` and no code it never came up, which is 1. */
export function endingOf(exit: { code: number | null; signal: string | null; reason?: string }): {
  how: string;
  exitCode: number;
} {
  const { code, signal, reason } = exit;
  const exitCode = reason !== undefined && code === null && signal === null ? 1 : exitCodeOf(exit);
  return { how: reason ?? (signal === null ? `ended with ${exitCode}` : `was ended by ${signal}`), exitCode };
}

/** POSIX numbers, equal on Linux and macOS, and the few that differ as Linux has them. */
const SIGNAL_NUMBERS: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGTRAP: 5,
  SIGABRT: 6,
  SIGBUS: 7,
  SIGFPE: 8,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGSEGV: 11,
  SIGUSR2: 12,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
};
