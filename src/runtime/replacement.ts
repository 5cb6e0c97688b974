// The time in which services make room for others of their name, after a config was read again. Remembers which of them are wanted
// down afterwards, too, and keeps orders from bringing one back before its successor.
import type { Order } from "../core/event.ts";

export class Replacement {
  readonly #leaving: ReadonlySet<string>;
  readonly #held: Set<string>;

  /** `held`: those of the leaving that somebody has stopped. */
  constructor(leaving: readonly string[], held: readonly string[]) {
    this.#leaving = new Set(leaving);
    this.#held = new Set(held);
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
