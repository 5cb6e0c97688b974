// What one waits with for news that may come before the wait, or while one still looks at the last. It says nothing of what is new.

/** Set once, it stays set until it is cleared. */
export class Wake {
  #isSet = false;
  #waiting: (() => void) | undefined;

  readonly set = (): void => {
    this.#isSet = true;
    this.#waiting?.();
  };

  clear(): void {
    this.#isSet = false;
  }

  async wait(): Promise<void> {
    if (!this.#isSet) await new Promise<void>((resolve) => (this.#waiting = resolve));
    this.#waiting = undefined;
  }
}
