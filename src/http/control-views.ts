// How the control API shows what the runtime knows: the ports' numbers as names and ISO times that outsiders read. Pure.
import type { Blocker } from "../core/blockers.ts";
import type { LogLine, RuntimeStatus, ServiceStatus, Timeline, TimelineSpan } from "../ports/control.ts";
import type { RuntimeEvent } from "../ports/runtime-event.ts";

const isoTime = (ms: number): string => new Date(ms).toISOString();

export function runtimeView({ blockedBy, uptimeMs, ...rest }: RuntimeStatus) {
  return { ...rest, uptimeMs: Math.round(uptimeMs), blockedBy: blockedBy.map(blockerView) };
}

export function serviceView({ sinceMs, lastExit, blockedBy, nextRunMs, ...rest }: ServiceStatus) {
  return {
    ...rest,
    since: isoTime(sinceMs),
    ...(lastExit && {
      lastExit: { code: lastExit.code, signal: lastExit.signal, time: isoTime(lastExit.atMs) },
    }),
    blockedBy: blockedBy.map(blockerView),
    ...(nextRunMs !== undefined && { nextRun: isoTime(nextRunMs) }),
  };
}

function blockerView({ sinceMs, ...rest }: Blocker) {
  return { ...rest, since: isoTime(sinceMs) };
}

export function timelineView({ start, stop }: Timeline) {
  return { start: start.map(spanView), stop: stop.map(spanView) };
}

function spanView({ fromMs, toMs, ...rest }: TimelineSpan) {
  return { ...rest, from: isoTime(fromMs), ...(toMs !== undefined && { to: isoTime(toMs) }) };
}

export function eventView({ atMs, ...rest }: RuntimeEvent) {
  return { time: isoTime(atMs), ...rest };
}

/** The names of the runtime's own JSON records. */
export function lineView({ seq, atMs, service, stream, text, part }: LogLine) {
  return { seq, time: isoTime(atMs), service, stream, message: text, ...(part !== undefined && { part }) };
}

/** What clients of the API receive. */
export type RuntimeView = ReturnType<typeof runtimeView>;
export type ServiceView = ReturnType<typeof serviceView>;
export type TimelineView = ReturnType<typeof timelineView>;
export type LineView = ReturnType<typeof lineView>;
