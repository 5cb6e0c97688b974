// A timeline as bars, one line a service, in the order in which they began. Pure: times in, lines out.
import type { TimelineView } from "../http/control-views.ts";
import { inWords } from "./duration.ts";
import { cut } from "./status-table.ts";

type Span = TimelineView["start"][number];

export interface GanttOptions {
  /** Of every line. */
  width: number;
  /** Where bars end that have not. */
  nowMs: number;
}

/** Both halves that have happened; `*` and thick bars mark the chain that made it take as long as it did. */
export function gantt({ start, stop }: TimelineView, options: GanttOptions): string[] {
  const halves = [
    ...(start.length > 0 ? half("start", start, options) : ["nothing has started yet"]),
    ...(stop.length > 0 ? ["", ...half("stop", stop, options)] : []),
  ];
  return halves.map((line) => cut(line, options.width));
}

function half(title: string, spans: readonly Span[], { width, nowMs }: GanttOptions): string[] {
  const rows = spans
    .map((span) => {
      const fromMs = Date.parse(span.from);
      const toMs = span.to === undefined ? Math.max(nowMs, fromMs) : Date.parse(span.to);
      return { ...span, fromMs, toMs, took: `${inWords(toMs - fromMs)}${span.to === undefined ? "…" : ""}` };
    })
    .toSorted((one, other) => one.fromMs - other.fromMs || one.toMs - other.toMs);
  const beginMs = Math.min(...rows.map(({ fromMs }) => fromMs));
  const wholeMs = Math.max(...rows.map(({ toMs }) => toMs)) - beginMs;
  const names = Math.max(...rows.map(({ service }) => service.length));
  const times = Math.max(...rows.map(({ took }) => took.length));
  const room = Math.max(10, width - names - times - "*   ||  ".length);
  const scale = wholeMs === 0 ? 0 : (room - 1) / wholeMs;
  const lines = rows.map(({ service, critical, fromMs, toMs, took, state, to }) => {
    const from = Math.round((fromMs - beginMs) * scale);
    const length = Math.max(1, Math.round((toMs - beginMs) * scale) - from + (toMs > fromMs ? 0 : 1));
    const bar = (" ".repeat(from) + (critical ? "━" : "─").repeat(length)).slice(0, room).padEnd(room);
    const where = to === undefined || state === "failed" ? ` ${state}` : "";
    return `${critical ? "*" : " "} ${service.padEnd(names)} |${bar}| ${took.padStart(times)}${where}`.trimEnd();
  });
  return [`${title}: ${inWords(wholeMs)}`, ...lines];
}
