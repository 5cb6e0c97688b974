// The two pages of `haraka status --watch`, and what its keys mean. Pure: what is known in, lines for the screen out.
import type { ServiceAction } from "../ports/control.ts";
import type { LineView } from "../http/control-views.ts";
import { cut, type Picture, plain, statusTable } from "./status-table.ts";

export type Keys = "quit" | "up" | "down" | "logs" | { action: ServiceAction; cascade: boolean };

const KEYS: Readonly<Record<string, Keys>> = {
  q: "quit",
  "\x03": "quit",
  "\x1b[A": "up",
  "\x1bOA": "up",
  k: "up",
  "\x1b[B": "down",
  "\x1bOB": "down",
  j: "down",
  l: "logs",
  s: { action: "start", cascade: false },
  x: { action: "stop", cascade: false },
  X: { action: "stop", cascade: true },
  r: { action: "restart", cascade: false },
  R: { action: "restart", cascade: true },
};

/** Escape sequences whole, all else letter by letter. */
export function keysOf(text: string): string[] {
  // oxlint-disable-next-line no-control-regex -- that is how a terminal says arrow
  return text.match(/\x1b(?:\[[0-9;]*[A-Za-z~]|O[A-Z])?|[^]/gu) ?? [];
}

/** What a key does; nothing for most. */
export function keyOf(key: string): Keys | undefined {
  return Object.hasOwn(KEYS, key) ? KEYS[key] : undefined;
}

export interface PageOptions {
  columns: number;
  rows: number;
  colour: boolean;
  nowMs: number;
}

const HELP = "up/down  s start  x stop  r restart  X R with those that need it  l logs  q quit";
const LOG_HELP = "any key: back  q quit";

/** As many services as fit, the chosen one among them. */
export function servicesPage(
  picture: Picture,
  { columns, rows, colour, nowMs, selected, message }: PageOptions & { selected: number; message: string },
): string[] {
  const table = statusTable(picture, { nowMs, width: columns - 2, colour, lasting: true, selected });
  const fixed = table.length - picture.services.length;
  const room = Math.max(1, rows - fixed - 2);
  const first = Math.max(0, Math.min(selected - room + 1, picture.services.length - room));
  const shown = [...table.slice(0, fixed), ...table.slice(fixed + first, fixed + first + room)];
  return filled(shown, rows - 2).concat([cut(plain(message), columns), cut(HELP, columns)]);
}

/** The last lines, as many as fit. */
export function logsPage(
  service: string,
  lines: readonly LineView[],
  { columns, rows }: PageOptions,
): string[] {
  const room = Math.max(1, rows - 3);
  const shown = lines.slice(-room).map(({ message }) => cut(plain(message), columns));
  return filled([cut(`output of ${service}`, columns), "", ...shown], rows - 1).concat(
    cut(LOG_HELP, columns),
  );
}

/** Exactly that many lines. */
function filled(lines: readonly string[], count: number): string[] {
  return [...lines.slice(0, count), ...Array<string>(Math.max(0, count - lines.length)).fill("")];
}
