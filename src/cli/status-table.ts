// What `haraka status` shows: one line about the runtime, one about each service. Pure: answers in, lines out.
import type { StateName } from "../core/service-state.ts";
import type { RuntimeView, ServiceView } from "../http/control-views.ts";
import { inWords } from "./duration.ts";

export interface Picture {
  runtime: RuntimeView;
  services: readonly ServiceView[];
}

export interface TableOptions {
  nowMs: number;
  /** Lines are cut to it; absent: not at all. */
  width?: number;
  colour: boolean;
  /** Times of day instead of ages, for a picture that stays on the screen. */
  lasting?: boolean;
  /** Index of the service to mark. */
  selected?: number;
}

const GREEN = 32;
const YELLOW = 33;
const RED = 31;
const GREY = 90;

const COLOURS: Partial<Record<StateName, number>> = {
  ready: GREEN,
  completed: GREEN,
  unready: YELLOW,
  starting: YELLOW,
  started: YELLOW,
  stopping: YELLOW,
  failed: RED,
  skipped: RED,
  stopped: GREY,
};

export function statusTable({ runtime, services }: Picture, options: TableOptions): string[] {
  const time = options.lasting ? "SINCE" : "FOR";
  const rows = services.map((service) => [
    service.name,
    service.state,
    moment(service.since, options),
    service.pid === undefined ? "-" : String(service.pid),
    String(service.restarts),
    detailOf(service),
  ]);
  const table = [["SERVICE", "STATE", time, "PID", "RESTARTS", ""], ...rows];
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  const lines = table.map((row, index) => {
    const cells = row.map((cell, column) => cell.padEnd(widths[column] ?? 0));
    const line = cut(cells.join("  ").trimEnd(), options.width);
    const state = services[index - 1]?.state;
    // Without colour the chosen line has a mark in front, and the others its room.
    if (state === undefined) return options.selected === undefined || options.colour ? line : `  ${line}`;
    return painted(line, { state, column: widths[0] ?? 0, options, index });
  });
  return [...heading(runtime, options).map((line) => cut(line, options.width)), "", ...lines];
}

function heading(runtime: RuntimeView, options: TableOptions): string[] {
  const { name, version, state, ready, pid, uptimeMs, limits, ledger, blockedBy } = runtime;
  const startedAt = new Date(options.nowMs - uptimeMs).toISOString();
  const { memoryBytes, memoryUsedBytes, cpus } = limits;
  const used = memoryUsedBytes === undefined ? "" : `${mebibytes(memoryUsedBytes)} of `;
  const facts = [
    `${name} ${version}`,
    `${state}, ${ready ? "ready" : "not ready"}`,
    `pid ${pid}`,
    options.lasting ? `up since ${moment(startedAt, options)}` : `up ${inWords(uptimeMs)}`,
    ...(memoryBytes === undefined ? [] : [`memory ${used}${mebibytes(memoryBytes)}`]),
    ...(cpus === undefined ? [] : [`${cpus} cpu${cpus === 1 ? "" : "s"}`]),
  ];
  const waits = blockedBy.map(({ service, reason }) => `not ready: ${service}: ${reason}`);
  if (!ledger) return [facts.join("  "), ...waits];
  const late = ledger.done.flatMap((stage) => stage.late);
  const spent = `${inWords(ledger.elapsedMs)} of ${inWords(ledger.budgetMs)}`;
  const stops = `stopping (${ledger.reason}): ${ledger.stage}, ${spent}`;
  return [facts.join("  "), late.length === 0 ? stops : `${stops}; late: ${late.join(", ")}`];
}

const mebibytes = (bytes: number): string => `${Math.round(bytes / 1024 / 1024)} MiB`;

function detailOf({ state, reason, blockedBy, lastExit, nextRun }: ServiceView): string {
  if (reason !== undefined) return plain(reason);
  const [blocker] = blockedBy;
  if (blocker) return plain(`waits for ${blocker.service}: ${blocker.reason}`);
  if (nextRun !== undefined) return `runs next at ${nextRun}`;
  if (lastExit && state !== "completed") return `ended before with ${endOf(lastExit)}`;
  return "";
}

export function endOf({ code, signal }: NonNullable<ServiceView["lastExit"]>): string {
  return code === null ? `signal ${signal}` : `code ${code}`;
}

function moment(iso: string, { nowMs, lasting }: TableOptions): string {
  if (!lasting) return inWords(nowMs - Date.parse(iso));
  const time = new Date(iso);
  return [time.getHours(), time.getMinutes(), time.getSeconds()]
    .map((part) => String(part).padStart(2, "0"))
    .join(":");
}

/** Without what moves a cursor or changes a colour: services choose these words, not we. */
export function plain(text: string): string {
  // oxlint-disable-next-line no-control-regex -- those are what is looked for
  return text.replace(/\x1b\[[0-9;?]*[ -/]*[@-~]|[\0-\x1f\x7f-\x9f]/g, (found) =>
    found === "\t" ? " " : "",
  );
}

export function cut(line: string, width: number | undefined): string {
  const letters = width === undefined ? [] : Array.from(line);
  return width === undefined || letters.length <= width ? line : `${letters.slice(0, width - 1).join("")}…`;
}

function painted(
  line: string,
  {
    state,
    column,
    options,
    index,
  }: { state: StateName; column: number; options: TableOptions; index: number },
): string {
  const marked = options.selected === index - 1;
  if (!options.colour) return options.selected === undefined ? line : `${marked ? ">" : " "} ${line}`;
  const from = column + 2;
  const colour = COLOURS[state];
  const word = line.slice(from, from + state.length);
  if (marked) return `\x1b[7m${line}\x1b[0m`;
  return colour === undefined
    ? line
    : `${line.slice(0, from)}\x1b[${colour}m${word}\x1b[0m${line.slice(from + state.length)}`;
}
