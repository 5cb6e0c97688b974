// The runtime's own story: turns events into log records. Says what an operator wants to read, once, in words; the full
// stream is for `on(event)`.
import type { StateName } from "../core/service-state.ts";
import type { Log, LogLevel } from "../ports/log.ts";
import type { RuntimeEvent } from "../ports/runtime-event.ts";

const LEVELS: Readonly<Record<StateName, LogLevel>> = {
  pending: "debug",
  starting: "debug",
  started: "debug",
  ready: "info",
  unready: "warn",
  completed: "info",
  backoff: "warn",
  stopping: "debug",
  stopped: "info",
  failed: "error",
  skipped: "warn",
};

export function narrate(event: RuntimeEvent, log: Log): void {
  switch (event.type) {
    case "service-state-changed": {
      const { service, to, pid, reason } = event;
      const message = reason === undefined ? to : `${to}: ${reason}`;
      return log[LEVELS[to]](message, { service, ...(pid !== undefined && { pid }) });
    }
    case "runtime-state-changed":
      return log[event.to === "started" ? "info" : "debug"](event.to);
    case "signal-received":
      return log.info(`received ${event.signal}`);
    case "order-received":
      return log.info(`asked to ${event.action} ${event.services.join(", ")}`);
    case "config-reloaded":
      return log.info(`config reloaded: ${changesInWords(event)}`);
    case "reload-refused":
      return log.error(`config not reloaded, nothing has changed: ${event.problems.join("; ")}`);
    case "shutdown-began":
      if (event.exitCode !== 0) return log.error(event.reason);
      // A service that has ended with 0 was perhaps not meant to end.
      return log[event.service === undefined ? "info" : "warn"](event.reason);
    case "drain-began":
      return log.info(drainInWords(event));
    case "stage-ended":
      if (event.late.length > 0) log.warn(`late: ${event.late.join(", ")}`, { stage: event.stage });
      return log.debug(`stage ${event.stage} took ${Math.round(event.tookMs)}ms`);
    case "background-task-failed":
      return log.error(`a background task failed: ${event.reason}`);
    case "shutdown-task-failed":
      return log.error(`a shutdown task failed: ${event.reason}`);
    case "service-launch-failed":
    case "service-exited":
      if (event.stack !== undefined) log.error(event.stack, { service: event.service });
      return;
    case "service-launched":
    case "service-killed":
    case "probe-passed":
    case "probe-failed":
    case "schedule-came-due":
      return;
    default:
      return event satisfies never;
  }
}

function changesInWords(changes: Record<"added" | "changed" | "removed", readonly string[]>): string {
  const { added, changed, removed } = changes;
  const parts = Object.entries({ added, changed, removed }).filter(([, names]) => names.length > 0);
  return parts.map(([what, names]) => `${what} ${names.join(", ")}`).join("; ") || "no service has changed";
}

function drainInWords({ limitMs, probers }: Extract<RuntimeEvent, { type: "drain-began" }>): string {
  if (probers.length === 0) return `draining for ${limitMs}ms`;
  const named = probers.map(({ source, intervalMs }) => `${source} every ${Math.round(intervalMs)}ms`);
  return `draining until whoever asks readiness knows, at most ${limitMs}ms: ${named.join(", ")}`;
}
