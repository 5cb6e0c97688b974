// What an operator can see and do, whoever asks: the control socket, TCP with a token, the watch view, the dashboard. The
// runtime implements it; HTTP and the command line only carry it.
import type { Blocker } from "../core/blockers.ts";
import type { RuntimeState } from "../core/snapshot.ts";
import type { StateName } from "../core/service-state.ts";
import type { Stage } from "../core/budget.ts";
import type { RuntimeEvent } from "./runtime-event.ts";

export interface RuntimeStatus {
  name: string;
  version: string;
  pid: number;
  state: RuntimeState;
  ready: boolean;
  /** Milliseconds since the runtime began to start. */
  uptimeMs: number;
  blockedBy: readonly Blocker[];
  limits: Limits;
  /** Only while it stops. */
  ledger?: LedgerStatus;
}

/** What the container allows, as its cgroups say; what is not limited is left out. */
export interface Limits {
  memoryBytes?: number;
  memoryUsedBytes?: number;
  /** Fractions of a processor count: 1.5. */
  cpus?: number;
}

export interface LedgerStatus {
  budgetMs: number;
  elapsedMs: number;
  stage: Stage;
  /** What ended the runtime. */
  reason: string;
  done: readonly { stage: Stage; tookMs: number; late: readonly string[] }[];
}

export interface ServiceStatus {
  name: string;
  /** The name that it shares with its replicas; its own where it has none. */
  group: string;
  kind: "module" | "process" | "task";
  state: StateName;
  /** When the state was entered, in milliseconds since the Unix epoch. */
  sinceMs: number;
  /** Why it is in this state, in words. */
  reason?: string;
  critical: boolean;
  pid?: number;
  /** How often it was started again by itself or by an operator; a run of a scheduled task at its time does not count. */
  restarts: number;
  /** How its last incarnation ended. */
  lastExit?: { code: number | null; signal: string | null; atMs: number };
  /** What it waits for, nearest first; empty when it waits for nothing. */
  blockedBy: readonly Blocker[];
  /** When a scheduled task is due next, in milliseconds since the Unix epoch. */
  nextRunMs?: number;
  /** Names of the services it depends on. */
  dependencies: readonly string[];
}

/** One service's times at start or stop, in milliseconds since the Unix epoch. */
export interface TimelineSpan {
  service: string;
  /** When it could have begun: what it waited for had come. */
  fromMs: number;
  /** When it was started, ready, stopped; absent while it is not. */
  toMs?: number;
  state: StateName;
  /** Whether it lies on the chain that made the whole take as long as it did. */
  critical: boolean;
}

export interface Timeline {
  start: readonly TimelineSpan[];
  stop: readonly TimelineSpan[];
}

export type ServiceAction = "start" | "stop" | "restart";

/** What an action did, or why it did nothing. */
export type ActionOutcome =
  /** The services it touched, in the order in which they will move. */
  | { ok: true; services: readonly string[] }
  /** `conflict`: possible, but not so; `reason` says what to do instead. */
  | { ok: false; kind: "unknown" | "conflict"; reason: string };

export type ReloadOutcome =
  | {
      ok: true;
      added: readonly string[];
      changed: readonly string[];
      removed: readonly string[];
    }
  /** Nothing was changed; one reason a line, without what could not be done. */
  | { ok: false; problems: readonly string[] };

/** What can be looked at. */
export interface StatusSource {
  runtime(): RuntimeStatus;
  services(): readonly ServiceStatus[];
  service(name: string): ServiceStatus | undefined;
  timeline(): Timeline;
  /** The plan as DOT or Mermaid text. */
  graph(format: "dot" | "mermaid"): string;
  /** Calls `listener` with everything that happens from now on; returns a function that ends it. */
  on(listener: (event: RuntimeEvent) => void): () => void;
}

/** What can be done. */
export interface Control {
  /**
   * `start` starts what they need, too. `stop` of something that others need is a conflict without `cascade`; with it those are
   * stopped before. `restart` leaves them running, with `cascade` it takes them along. Resolves once the orders are given.
   */
  act(action: ServiceAction, names: readonly string[], options: { cascade: boolean }): Promise<ActionOutcome>;
  /** Reads the config again and applies the difference. */
  reload(): Promise<ReloadOutcome>;
  /** Begins a graceful shutdown. */
  shutdown(reason: string): void;
}

/** One line of a service's output, as it is kept. */
export interface LogLine {
  /** Counts from 1 for each service, without gaps unless lines were dropped. */
  seq: number;
  /** Milliseconds since the Unix epoch. */
  atMs: number;
  service: string;
  stream: "stdout" | "stderr" | "runtime";
  text: string;
  part?: number;
}

/** What services have written lately. */
export interface LogSource {
  /** The lines that are still kept, oldest first; at most the last `tail` of them. */
  read(service: string, options?: { tail?: number }): readonly LogLine[];
  /** Calls `listener` with every line of the services from now on; returns a function that ends it. */
  follow(services: readonly string[], listener: (line: LogLine) => void): () => void;
}
