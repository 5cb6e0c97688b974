// The typed config: what a YAML file means after interpolation, defaults and conversion. Every number carries its unit,
// every path is absolute, every dependency has its condition. Nothing behind this type reads YAML again.

export interface Config {
  /** The files it was read from, in order, absolute. */
  files: readonly string[];
  runtime: RuntimeConfig;
  /** `false`: no TCP port is opened. */
  http: HttpConfig | false;
  /** In the order they stand in the files; one later in the list never overtakes an equal one before it. */
  services: readonly ServiceConfig[];
}

export interface RuntimeConfig {
  name: string;
  startup: {
    timeoutMs: number;
    /** How many may be starting at once; `Infinity` by default. */ concurrency: number;
    onFailure: "rollback" | "continue";
  };
  shutdown: { budgetMs: number | "auto"; drainMs: number | "auto" };
  log: { format: "auto" | "pretty" | "json"; level: "debug" | "info" | "warn" | "error" };
  /** The service whose exit code the runtime leaves with. */
  exitCodeFrom?: string;
}

export interface HttpConfig {
  host: string;
  port: number;
  idleTimeoutMs: number;
}

/** When a dependency counts as met. */
export type Condition = "started" | "ready" | "completed";

export interface Dependency {
  service: string;
  condition: Condition;
  /** `false`: wait until the condition holds or the service has settled as failed, then go on without it. */
  required: boolean;
}

export interface ServiceConfig {
  name: string;
  /** Where the service stands in the files, for errors found after the config was read. */
  position: { file: string; line: number; column: number };
  task: boolean;
  run: ModuleConfig | ProcessConfig;
  priority: number;
  dependencies: readonly Dependency[];
  critical: boolean;
  /** Empty: always on. Otherwise on when one of them is asked for, the service is named, or another needs it. */
  profiles: readonly string[];
  startTimeoutMs: number;
  stopTimeoutMs: number;
  startup?: ProbeConfig;
  readiness?: ProbeConfig | "manual";
}

export interface ModuleConfig {
  type: "module";
  /** Absolute path of the file. */
  file: string;
  /** The export's name; `default` when the entrypoint has no `#Name`. */
  exportName: string;
  /** As written, for messages. */
  entrypoint: string;
  settings: unknown;
}

export interface ProcessConfig {
  type: "process";
  /** Never empty. With `shell: true`, what hands the line to the shell. */
  argv: readonly string[];
  cwd: string;
  /** Added to the runtime's own environment; from `envFile`, then `environment`. */
  environment: Readonly<Record<string, string>>;
  user?: string;
  group?: string;
  stdin: "null" | "inherit";
  stopSignal: string;
}

export type ProbeConfig = ProbeCheck & {
  intervalMs: number;
  timeoutMs: number;
  failureThreshold: number;
  successThreshold: number;
};

export type ProbeCheck =
  | { type: "http"; url: string }
  | { type: "tcp"; host: string; port: number }
  /** Passed once a line of either stream contains the text. */
  | { type: "log"; text: string }
  | { type: "logPattern"; pattern: string };
