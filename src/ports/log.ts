// Where the runtime's own records and the output of its services go.

export type LogLevel = "debug" | "info" | "warn" | "error";

/** Structured fields of a record; `service` names who it is about. */
export type LogFields = Record<string, unknown>;

/** The runtime's own records. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/**
 * Lines that a service wrote, as the bytes they came in, next to each other; or one piece of a line that was too long. Whoever
 * is handed some may read them until it returns, and no longer: the memory is used again.
 */
export interface Lines {
  readonly bytes: Uint8Array;
  /** How many there are, at least one. The places below count from 0. */
  readonly count: number;
  /** Index in `bytes` of each line's first byte. */
  readonly starts: Int32Array;
  /** Index behind each line's last byte, which is that of its LF or CRLF. */
  readonly ends: Int32Array;
  /** 1 for a line of printable ASCII without `"` and `\`, which is the same in JSON. */
  readonly plain: Uint8Array;
  /** Which piece of a split line this is, from 1; 0 for whole lines. The pieces concatenate to the line. */
  readonly part: number;
  /** The text of one line; invalid UTF-8 becomes U+FFFD. */
  text(index: number): string;
}

export type OutputStream = "stdout" | "stderr";

/** Takes the lines of one stream. */
export interface LineSink {
  write(lines: Lines): void;
  /** No more will come. */
  end(): void;
}

/** The output of services. */
export interface Output {
  /** Where the lines of one stream of a service go. `level`: what they are said to be; default `info`. */
  open(service: string, stream: OutputStream, options?: { level?: LogLevel }): LineSink;
  /** Lines should now be kept back until `drained` resolves; those that come all the same are taken. */
  isFull(): boolean;
  /** Resolves when there is room. Of many who wait, some are let in at a time, in the order they came. */
  drained(): Promise<void>;
}

/** What the runtime says and what its services write, on their way to one place. */
export interface Outlet {
  log: Log;
  output: Output;
}
