// Whether the store of a plane can be used, and who wants to know when that changes: its readiness, and whoever ends with it.
import type { StoreError } from "../errors.ts";
import type { Log } from "../ports/log.ts";
import type { Probe } from "../ports/probe.ts";

export interface StoreHooks {
  onLost: (error: StoreError) => void;
  /** Why it cannot be reached just now; `undefined`: it can again. */
  onTrouble: (problem: StoreError | undefined) => void;
  /** What an operator should know, and nothing is stopped by. */
  onWarning: (message: string) => void;
}

export class StoreWatch {
  /** What the store tells. */
  readonly hooks: StoreHooks;
  #error: StoreError | undefined;
  #trouble: StoreError | undefined;
  readonly #ending = new Set<(error: StoreError) => void>();
  readonly #asking = new Set<() => void>();

  constructor(log: Log) {
    this.hooks = {
      onLost: (error) => {
        this.#error = error;
        for (const end of this.#ending) end(error);
        this.#askAgain();
      },
      onTrouble: (problem) => {
        this.#trouble = problem;
        if (problem) log.warn(problem.message);
        else log.info("the store can be reached again");
        this.#askAgain();
      },
      onWarning: (message) => log.warn(message),
    };
  }

  /** At once if it is lost already. */
  onLost(listener: (error: StoreError) => void): void {
    this.#ending.add(listener);
    if (this.#error) listener(this.#error);
  }

  readonly probe: Probe = {
    check: async () => {
      const problem = this.#error ?? this.#trouble;
      return problem ? { ok: false, reason: problem.message } : { ok: true };
    },
    onChange: (ask) => {
      this.#asking.add(ask);
      if (this.#error ?? this.#trouble) ask();
      return () => void this.#asking.delete(ask);
    },
  };

  #askAgain(): void {
    for (const ask of this.#asking) ask();
  }
}
