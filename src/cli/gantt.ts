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
    .map(({ to, ...span }) => {
      const fromMs = Date.parse(span.from);
      const toMs = to === undefined ? Math.max(nowMs, fromMs) : Date.parse(to);
      const took = inWords(toMs - fromMs);
      const note =
        to === undefined ? `${took}… ${span.state}` : span.state === "failed" ? `${took} failed` : took;
      return { ...span, fromMs, toMs, note };
    })
    .toSorted((one, other) => one.fromMs - other.fromMs || one.toMs - other.toMs);
  const beginMs = Math.min(...rows.map(({ fromMs }) => fromMs));
  const wholeMs = Math.max(...rows.map(({ toMs }) => toMs)) - beginMs;
  const names = Math.max(...rows.map(({ service }) => service.length));
  const notes = Math.max(...rows.map(({ note }) => note.length));
  const room = Math.max(10, width - names - notes - "*  || ".length);
  const column = (ms: number) => (wholeMs === 0 ? 0 : Math.round(((ms - beginMs) * room) / wholeMs));
  const lines = rows.map(({ service, critical, fromMs, toMs, note }) => {
    // Whatever is short is still seen.
    const from = Math.min(column(fromMs), room - 1);
    const bar = " ".repeat(from) + (critical ? "━" : "─").repeat(Math.max(1, column(toMs) - from));
    return `${critical ? "*" : " "} ${service.padEnd(names)} |${bar.padEnd(room)}| ${note}`;
  });
  return [`${title}: ${inWords(wholeMs)}`, ...lines];
}
