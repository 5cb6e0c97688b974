// A runtime as control sees it, whose services the test sets by hand: what was ordered is recorded, stopping `db` while `api` needs
// it is a conflict, and what happens is told to whoever listens.
import type {
  Control,
  LogLine,
  LogSource,
  ReloadOutcome,
  RuntimeStatus,
  ServiceStatus,
  StatusSource,
  Timeline,
} from "../../src/ports/control.ts";
import type { RuntimeEvent } from "../../src/ports/runtime-event.ts";

export const NOW_MS = Date.UTC(2026, 0, 2, 3, 4, 5);

export function service(name: string, more: Partial<ServiceStatus> = {}): ServiceStatus {
  return {
    name,
    group: name,
    kind: "process",
    state: "ready",
    sinceMs: NOW_MS,
    critical: true,
    restarts: 0,
    blockedBy: [],
    dependencies: [],
    ...more,
  };
}

export interface ScriptedOperator extends StatusSource, Control {
  /** `stop db cascade`, `reload`, `shutdown REASON`, in order. */
  readonly calls: readonly string[];
  readonly logs: LogSource & { write(service: string, text: string, more?: Partial<LogLine>): void };
  /** How many listen to events, and to lines. */
  readonly listeners: { events: number; lines: number };
  set(service: ServiceStatus): void;
  emit(event: RuntimeEvent): void;
  runtimeIs: Partial<RuntimeStatus>;
  reloads: ReloadOutcome;
  timelineIs: Timeline;
}

export function scriptedOperator(): ScriptedOperator {
  const services = new Map(
    [service("db", { pid: 11 }), service("api", { pid: 12, dependencies: ["db"] })].map((each) => [
      each.name,
      each,
    ]),
  );
  const calls: string[] = [];
  const listeners = new Set<(event: RuntimeEvent) => void>();
  const followers = new Set<{ services: readonly string[]; listener: (line: LogLine) => void }>();
  const lines: LogLine[] = [];
  const written = new Map<string, number>();
  const operator: ScriptedOperator = {
    calls,
    runtimeIs: {},
    reloads: { ok: true, added: ["new"], changed: [], removed: [] },
    timelineIs: { start: [], stop: [] },
    get listeners() {
      return { events: listeners.size, lines: followers.size };
    },
    set: (status) => void services.set(status.name, status),
    emit: (event) => {
      for (const listener of listeners) listener(event);
    },
    runtime: () => ({
      name: "shop",
      version: "1.2.3",
      pid: process.pid,
      state: "started",
      ready: true,
      uptimeMs: 1234.4,
      blockedBy: [],
      limits: { memoryBytes: 512 * 1024 * 1024 },
      ...operator.runtimeIs,
    }),
    services: () => [...services.values()],
    service: (name) => services.get(name),
    timeline: () => operator.timelineIs,
    graph: (format) => (format === "dot" ? "digraph haraka {}\n" : "graph LR\n"),
    on(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    async act(action, names, { cascade }) {
      calls.push([action, ...names, ...(cascade ? ["cascade"] : [])].join(" "));
      const unknown = names.find((name) => !services.has(name));
      if (unknown !== undefined)
        return { ok: false, kind: "unknown", reason: `cannot ${action} '${unknown}'` };
      if (action === "stop" && names.includes("db") && !names.includes("api") && !cascade)
        return { ok: false, kind: "conflict", reason: "cannot stop 'db': 'api' needs it; add --cascade" };
      for (const name of names) {
        const old = services.get(name) ?? service(name);
        const state = action === "stop" ? "stopped" : "ready";
        services.set(name, { ...old, state });
        const event = { type: "service-state-changed", incarnation: 1, from: old.state, to: state } as const;
        operator.emit({ ...event, service: name, atMs: NOW_MS });
      }
      return { ok: true, services: cascade ? ["api", ...names] : names };
    },
    async reload() {
      calls.push("reload");
      return operator.reloads;
    },
    shutdown: (reason) => void calls.push(`shutdown ${reason}`),
    logs: {
      write(name, text, more = {}) {
        const seq = (written.get(name) ?? 0) + 1;
        written.set(name, seq);
        const line: LogLine = {
          seq,
          atMs: NOW_MS + lines.length,
          service: name,
          stream: "stdout",
          text,
          ...more,
        };
        lines.push(line);
        for (const follower of followers) if (follower.services.includes(name)) follower.listener(line);
      },
      read(name, { tail = Infinity } = {}) {
        const own = lines.filter((line) => line.service === name);
        return own.slice(Math.max(0, own.length - tail));
      },
      follow(names, listener) {
        const follower = { services: names, listener };
        followers.add(follower);
        return () => void followers.delete(follower);
      },
    },
  };
  return operator;
}
