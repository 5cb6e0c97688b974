// The expected failures that cross a boundary as exceptions, and the exit codes they end in (CONTRACT section 2).
// A broken invariant is a plain `Error("internal: …")`; failures inside the supervisor are data, not exceptions.

/** Exit codes of the runtime. A signal's code is `128 + n`, see {@link signalExitCode}. */
export const ExitCode = {
  ok: 0,
  failure: 1,
  usage: 2,
  internal: 70,
  store: 75,
  budget: 124,
} as const;

/** One problem in a config file. `line` and `column` count from 1. */
export interface Diagnostic {
  file: string;
  line: number;
  column: number;
  /** Where in the config, as `services.api.command[0]`; empty for the document as a whole. */
  path: string;
  message: string;
}

/** `FILE:LINE:COL PATH: message`, one line. */
function formatDiagnostic({ file, line, column, path, message }: Diagnostic): string {
  return `${file}:${line}:${column} ${path === "" ? "" : `${path}: `}${message}`;
}

/** The config cannot be used. Carries every problem found, never only the first. Exit code 2. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly diagnostics: readonly Diagnostic[];
  constructor(diagnostics: readonly Diagnostic[]) {
    super(diagnostics.map(formatDiagnostic).join("\n"));
    this.diagnostics = diagnostics;
  }
}

/** The caller asked for something that cannot be: a wrong flag, a second `run`, a duplicate name. Exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Something did not happen within its time; the message names what was still missing. */
export class TimeoutError extends Error {
  override readonly name = "TimeoutError";
}

/** The runtime could not come up, or a service took it down. `exitCode` is what the process should end with. */
export class StartupError extends Error {
  override readonly name = "StartupError";
  readonly exitCode: number;
  constructor(message: string, options: { exitCode?: number; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.exitCode = options.exitCode ?? ExitCode.failure;
  }
}

/** The plane's store refuses, is held by another, is full or lost. Exit code 75 where it ends the runtime. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  constructor(message: string, options: { cause?: unknown } = {}) {
    super(message, options);
  }
}

/** What the plane refuses; `problem` says in one word why, `errors` what is wrong where. */
export class PlaneError extends Error {
  override readonly name = "PlaneError";
  readonly problem: "not-found" | "stale" | "conflict" | "mismatch" | "invalid" | "too-large" | "compacted";
  readonly errors: readonly { path: string; message: string }[];
  constructor(
    problem: PlaneError["problem"],
    message: string,
    { errors = [] }: { errors?: readonly { path: string; message: string }[] } = {},
  ) {
    super(message);
    this.problem = problem;
    this.errors = errors;
  }
}

/** No instance of a service is ready to be asked; what was to be sent has not arrived anywhere. */
export class UnreachableError extends Error {
  override readonly name = "UnreachableError";
  /** As a refused connection has it. */
  readonly code = "ECONNREFUSED";
}

/** What the runtimes call a connection that never came to be. */
const NOT_CONNECTED =
  /ConnectionRefused|ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|FailedToOpenSocket|DNSResolveFailed|connection refused|dns error|failed to lookup/i;

/** An error and what caused it, the first cause last. */
export function causesOf(error: unknown): Error[] {
  const causes: Error[] = [];
  for (let cause = error; cause instanceof Error && causes.length < 5; cause = cause.cause)
    causes.push(cause);
  return causes;
}

/** Whether a `fetch` failed before anything was sent: what it was to carry has certainly not arrived. */
export function neverConnected(error: unknown): boolean {
  return causesOf(error).some((cause) => {
    const { message, code } = cause as Error & { code?: unknown };
    return NOT_CONNECTED.test(`${typeof code === "string" ? code : ""} ${message}`);
  });
}

/** The message of anything that can be thrown; a text, whatever somebody has put in its place. */
export function messageOf(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error);
  } catch {
    return "something that has no words for itself";
  }
}

/** Where an error was made, if it is one and says so. */
export function stackOf(error: unknown): string | undefined {
  try {
    const stack: unknown = error instanceof Error ? error.stack : undefined;
    return typeof stack === "string" ? stack : undefined;
  } catch {
    return undefined;
  }
}

/** Why a file, or something in a folder (`where`), cannot be written, and what to do; `owner` is what `lstat` says of it. */
export function mayNotWrite(
  where: string,
  { uid, owner }: { uid: number | undefined; owner: { uid: number; mode: number } },
): string {
  const mode = `0${(owner.mode & 0o7777).toString(8)}`;
  return `uid ${uid ?? "?"} may not write ${where}: it belongs to uid ${owner.uid}, mode ${mode}; chown or chmod it`;
}
