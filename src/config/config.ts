// The typed config: what a YAML file means after interpolation, defaults and conversion. Every number carries its unit,
// every path is absolute, every dependency has its condition. Nothing behind this type reads YAML again.

import type { RuleNode } from "./route-rule.ts";
import type { SagaDefinition } from "./saga-definition.ts";

export interface Config {
  /** The files it was read from, in order, absolute. */
  files: readonly string[];
  runtime: RuntimeConfig;
  /** `false`: no TCP port is opened. */
  http: HttpConfig | false;
  control: ControlConfig;
  /** Absent: there is no plane. */
  plane?: PlaneConfig;
  /** Absent: there is no registry. */
  discovery?: DiscoveryConfig;
  /** In the order of the files; none without a plane. */
  intents: readonly IntentConfig[];
  /** Where what outlives a run is kept: `HARAKA_DATA`, else `STATE_DIRECTORY`, else `data` in the working directory; absolute. */
  stateFolder: string;
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
  log: LogConfig;
  /** The service whose exit code the runtime leaves with. */
  exitCodeFrom?: string;
}

export interface LogConfig {
  format: "auto" | "pretty" | "json";
  level: "debug" | "info" | "warn" | "error";
  /** When nobody reads the output: `pause` the services' pipes, or `drop` lines and count them. */
  overflow: "pause" | "drop";
  /** How much of each service's output is kept for `haraka logs`. */
  ringBytes: number;
  /** Everything is also written to this file, absolute; it is turned over when it has grown to `maxBytes`, and `keep` old ones stay. */
  file?: { path: string; maxBytes: number; keep: number };
}

export interface ControlConfig {
  /** Absolute path of the Unix socket; `false`: none. */
  socket: string | false;
  /** The config names the socket, so not being able to open it is an error; the default one is only warned about. */
  socketNamed: boolean;
  /** Never empty; without one there is no control over TCP. */
  token?: string;
}

export interface PlaneConfig {
  store: StoreConfig;
  /** Absent: loopback only, as the tenant `default`. */
  auth?: {
    tokens: readonly { token: string; tenant: string; roles: readonly "operator"[] }[];
    jwt?: { jwks: string; issuer: string; audience: string; tenantClaim: string; rolesClaim: string };
  };
  sessions: { idleMs: number; absoluteMs: number };
  /** `Infinity`: everything is kept. */
  retentionMs: number;
  limits: { bodyBytes: number; keyBytes: number; pageItems: number };
}

/** `path` is absolute. */
export type StoreConfig = { driver: "memory" } | { driver: "sqlite"; path: string } | RedisStoreConfig;

export interface RedisStoreConfig {
  driver: "redis";
  place: RedisServerPlace | { cluster: readonly string[] };
  /** Every key begins with it. */
  namespace: string;
  leaseMs: number;
  /** What to do about a Redis that may lose what it has acknowledged. */
  checks: "refuse" | "warn";
  /** So many replicas have to have a write before it counts. */
  replicas: number;
}

/** URLs: of a server, or of sentinels that know which one is the master. */
export type RedisServerPlace = { url: string } | { sentinel: { master: string; nodes: readonly string[] } };

export interface DiscoveryConfig {
  /** The name or address at which others reach this machine, an IPv6 one without brackets; absent: what the runtime finds. */
  advertise?: string;
  registry: { ttlMs: number; heartbeatMs: number };
  /** Absent: routes are not published. */
  traefik?: TraefikPublishing;
}

export interface TraefikPublishing {
  /** Never empty; without one only this machine may ask. */
  token?: string;
  /** One server, for a transaction does not reach across a cluster, nor does Traefik read from one. */
  redis?: { rootKey: string; place: RedisServerPlace };
}

/** An intent that is carried out by HTTP calls. */
export interface IntentConfig {
  /** Its name is the type of the intent, its input a JSON Schema. */
  definition: SagaDefinition;
  /** The calls behind each step, by its name. */
  calls: ReadonlyMap<string, StepCalls>;
}

export interface StepCalls {
  execute: CallConfig;
  compensate?: CallConfig;
  verify?: CallConfig;
}

export interface CallConfig {
  /** `http://…`, `https://…`, or `svc://SERVICE/PATH`. */
  url: string;
  method: "POST" | "GET" | "PUT" | "PATCH" | "DELETE";
  headers: Readonly<Record<string, string>>;
}

/** A public rule that leads to a service. */
export interface RouteConfig {
  rule: string;
  /** What the rule says. */
  match: RuleNode;
  /** Empty: the proxy's own default. */
  entryPoints: readonly string[];
  /** Above 0; absent: the length of the rule. */
  priority?: number;
  middlewares: readonly string[];
  /** Only requests by TLS. */
  tls?: { certResolver?: string; options?: string };
  target: RouteTarget;
  /** Where the rule stands in the files. */
  position: { file: string; line: number; column: number };
}

/** Where a service answers: on the runtime's own port, on another of this machine, or at a URL of scheme, host and port. */
export type RouteTarget = { type: "runtime" } | { type: "port"; port: number } | { type: "url"; url: string };

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
  /** Restart the dependent when the dependency has come back in a new incarnation. */
  restart: boolean;
}

/** When a service that has ended, or does not live any more, is started again. */
export interface RestartConfig {
  policy: "never" | "on-failure" | "always";
  /** The first restart is immediate; from the second on the wait grows from `minMs` to `maxMs`, a random part of it. */
  backoff: { minMs: number; maxMs: number };
  /** So many restarts within the window; the next failure is final. */
  limit: { count: number; windowMs: number };
  /** Up for so long, the wait begins anew. */
  resetAfterMs: number;
}

export interface ScheduleConfig {
  /** Five or six fields, or `@hourly` and the like. */
  cron: string;
  /** An IANA name; absent: the machine's. */
  timeZone?: string;
  /** When it is due while it still runs: `skip` this run, `queue` one after it, `replace` the running one. */
  overlap: "skip" | "queue" | "replace";
}

export interface ServiceConfig {
  /** `api`; one of several replicas is `api-1`, `api-2` and so on. */
  name: string;
  /** What dependencies and selections call it: the key in the file, shared by replicas. */
  group: string;
  /** Counts from 1. */
  replica: number;
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
  restart: RestartConfig;
  startup?: ProbeConfig;
  liveness?: ProbeConfig;
  readiness?: ProbeConfig | "manual";
  /** A task that runs at its times instead of at boot. */
  schedule?: ScheduleConfig;
  /** Who it is on the plane. Default: `default`. */
  tenant?: string;
  /** Where it listens by itself, for those that look it up. */
  port?: number;
  /** What leads to it from outside. */
  routes: readonly RouteConfig[];
  /** Globs, absolute, of files that restart it in `haraka dev`. */
  watch: readonly string[];
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
  /** Signals that the runtime hands on to it. */
  forwardSignals: readonly string[];
  /** The descriptor on which it writes a newline once it is ready, as under s6. */
  notificationFd?: number;
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
  /** Passes when the command ends with 0; argv without a shell, in the service's folder and environment. */
  | { type: "exec"; argv: readonly string[] }
  /** The service says itself that it is ready: by `notificationFd`, else by sd_notify. */
  | { type: "notify" }
  /** Passed once a line of either stream contains the text. */
  | { type: "log"; text: string }
  | { type: "logPattern"; pattern: string };
