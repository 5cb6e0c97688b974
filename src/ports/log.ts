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

/** One line, or piece of a line, that a service wrote. */
export interface OutputLine {
  service: string;
  stream: "stdout" | "stderr";
  text: string;
  /** Set when a line was too long and was split: pieces count from 1 and concatenate to the line. */
  part?: number;
}

/** The output of services. */
export interface Output {
  /** Returns false when the sink is full; the caller should then pause its source until `drained` resolves. */
  line(line: OutputLine): boolean;
  drained(): Promise<void>;
}
