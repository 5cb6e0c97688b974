// When to look at what again: one timer of the clock for any number of times, the earliest first. Nothing is kept of a time that was
// taken back but perhaps the timer, which then rings for nobody and is set anew; none comes early.
import type { Clock } from "../ports/clock.ts";

interface Item<T> {
  what: T;
  atMs: number;
  /** Its place in the heap. */
  index: number;
}

export interface WakeQueueOptions<T> {
  clock: Clock;
  /** On the scale of the times that are set. */
  nowMs: () => number;
  wake: (what: T) => void;
}

export class WakeQueue<T> {
  readonly #options: WakeQueueOptions<T>;
  readonly #heap: Item<T>[] = [];
  readonly #items = new Map<T, Item<T>>();
  #timer: { atMs: number; cancel: () => void } | undefined;

  constructor(options: WakeQueueOptions<T>) {
    this.#options = options;
  }

  /** `undefined`: not at all any more. */
  set(what: T, atMs: number | undefined): void {
    const known = this.#items.get(what);
    if (known?.atMs === atMs) return;
    if (known) this.#remove(known);
    if (atMs !== undefined) this.#add({ what, atMs, index: this.#heap.length });
    this.#arm();
  }

  clear(): void {
    this.#heap.length = 0;
    this.#items.clear();
    this.#arm();
  }

  #arm(): void {
    const atMs = this.#heap[0]?.atMs;
    // Most times are taken back before they come: to set the timer anew for each takes longer than one ring too many.
    if (this.#timer && atMs !== undefined && this.#timer.atMs <= atMs) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    if (atMs === undefined) return;
    const { clock, nowMs } = this.#options;
    const cancel = clock.after(Math.max(0, atMs - nowMs()), () => this.#ring());
    this.#timer = { atMs, cancel };
  }

  #ring(): void {
    this.#timer = undefined;
    const nowMs = this.#options.nowMs();
    for (let first = this.#heap[0]; first && first.atMs <= nowMs; first = this.#heap[0]) {
      this.#remove(first);
      this.#options.wake(first.what);
    }
    this.#arm();
  }

  #add(item: Item<T>): void {
    this.#items.set(item.what, item);
    this.#heap.push(item);
    this.#up(item);
  }

  #remove(item: Item<T>): void {
    this.#items.delete(item.what);
    const last = this.#heap.pop();
    if (!last || last === item) return;
    this.#place(last, item.index);
    this.#up(last);
    this.#down(last);
  }

  #place(item: Item<T>, index: number): void {
    this.#heap[index] = item;
    item.index = index;
  }

  #up(item: Item<T>): void {
    for (;;) {
      const parent = this.#heap[(item.index - 1) >> 1];
      if (!parent || item.index === 0 || parent.atMs <= item.atMs) return;
      this.#swap(parent, item);
    }
  }

  #down(item: Item<T>): void {
    for (;;) {
      const left = this.#heap[2 * item.index + 1];
      const right = this.#heap[2 * item.index + 2];
      const child = left && right && right.atMs < left.atMs ? right : left;
      if (!child || child.atMs >= item.atMs) return;
      this.#swap(item, child);
    }
  }

  /** `upper` is the parent. */
  #swap(upper: Item<T>, lower: Item<T>): void {
    const { index } = lower;
    this.#place(lower, upper.index);
    this.#place(upper, index);
  }
}
