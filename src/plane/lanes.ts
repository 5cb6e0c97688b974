// Work on one thing after the other, in the order in which it came, while work on other things goes on. It saves writers of this
// process from being each other's conflicts; between processes the store's versions decide.

export class Lanes {
  readonly #last = new Map<string, Promise<void>>();

  /** Runs `work` when all that came before it in its lane has settled. */
  async run<T>(lane: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(lane);
    const { promise: over, resolve } = Promise.withResolvers<void>();
    this.#last.set(lane, over);
    try {
      await before;
      return await work();
    } finally {
      resolve();
      if (this.#last.get(lane) === over) this.#last.delete(lane);
    }
  }
}
