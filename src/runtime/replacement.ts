// The time in which services make room for others of their name, after a config was read again. Remembers which of them are wanted
// down afterwards, too, and which came due meanwhile, and keeps orders from bringing one back before its successor.
import type { Order } from "../core/event.ts";

export class Replacement {
  readonly #leaving: ReadonlySet<string>;
  readonly #held: Set<string>;
  readonly #due: Set<string>;

  /** Of the leaving: those that somebody has `held` down, and those that are to run once more because they came `due`. */
  constructor(leaving: readonly string[], { held, due }: Record<"held" | "due", readonly string[]>) {
    this.#leaving = new Set(leaving);
    this.#held = new Set(held);
    this.#due = new Set(due);
  }

  /** Whose successors have a run to make up for. */
  get due(): ReadonlySet<string> {
    return this.#due;
  }

  /** It is due; false: it is not leaving, and can run now. */
  postpone(service: string): boolean {
    if (this.#leaving.has(service)) this.#due.add(service);
    return this.#leaving.has(service);
  }

  isHeld(service: string): boolean {
    return this.#held.has(service);
  }

  /** What is left of an order for now; what is asked of a leaving service is asked of its successor. */
  take(order: Order): Order {
    if (!("services" in order)) return order;
    for (const name of order.services) {
      if (order.type === "hold-requested") this.#held.add(name);
      else this.#held.delete(name);
    }
    return { ...order, services: order.services.filter((name) => !this.#leaving.has(name)) };
  }
}
