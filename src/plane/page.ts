// A page of what a store gives in small helpings, filtered before it is limited. No page makes this process hold more than a few
// megabytes, or keeps timers and sockets waiting: who asks for rare things gets a short page and a place to go on from.
import type { Json } from "../core/json.ts";
import { nextTurn } from "./turn.ts";

/** What is read at once. */
export const HELPING = 64;
/** What is looked at for one page. */
const LOOKED_AT_MAX = 10_000;
/** What a page may hold, roughly; its last item may go beyond. */
const PAGE_BYTES_MAX = 4 * 1024 * 1024;

export interface PageSource<Row, Item, Position> {
  limit: number;
  /** Rows behind `after`, ascending, as many as `limit` unless there are no more. */
  read(after: Position | undefined, limit: number): Promise<readonly Row[]>;
  positionOf(row: Row): Position;
  /** What of each row belongs on the page, in their order. */
  pick(rows: readonly Row[]): Promise<readonly (Item | undefined)[]>;
  payloadOf(item: Item): Json;
}

/** `next`: where to go on; absent at the end. */
export async function collectPage<Row, Item, Position>(
  source: PageSource<Row, Item, Position>,
  start: Position | undefined,
): Promise<{ items: readonly Item[]; next?: Position }> {
  const items: Item[] = [];
  let [after, lookedAt, bytes] = [start, 0, 0];
  const isFull = (): boolean => items.length >= source.limit || bytes >= PAGE_BYTES_MAX;
  for (let count = Math.min(HELPING, source.limit + 1); lookedAt < LOOKED_AT_MAX;) {
    const rows = await source.read(after, count);
    const picked = await source.pick(rows);
    for (const [index, row] of rows.entries()) {
      if (isFull()) return pageUntil(items, after);
      const item = picked[index];
      if (item !== undefined) {
        items.push(item);
        bytes += roughBytesOf(source.payloadOf(item));
      }
      after = source.positionOf(row);
    }
    if (rows.length < count) return { items };
    lookedAt += rows.length;
    // Of a full page it is only to be known whether anything follows.
    count = isFull() ? 1 : HELPING;
    await nextTurn();
  }
  return pageUntil(items, after);
}

function pageUntil<Item, Position>(
  items: readonly Item[],
  next: Position | undefined,
): { items: readonly Item[]; next?: Position } {
  return next === undefined ? { items } : { items, next };
}

/** About what it takes as JSON. */
function roughBytesOf(value: Json): number {
  if (typeof value === "string") return value.length + 2;
  if (typeof value !== "object" || value === null) return 8;
  let bytes = 2;
  for (const [key, inner] of Object.entries(value)) bytes += key.length + roughBytesOf(inner as Json);
  return bytes;
}
