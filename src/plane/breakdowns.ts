// Executions that broke down: an error that no handler has thrown keeps them from going on. Each is taken up anew, as its log has it, and
// parked there with the reason, for everybody to see. It tries that once: what breaks down over this too stands until it is claimed again.
import { messageOf } from "../errors.ts";
import type { Execution } from "../ports/plane.ts";
import type { Claim } from "../ports/store.ts";
import type { Run } from "./run.ts";

export interface BreakdownsOptions {
  /** Takes it up as its log has it; `first` is done with it before its first turn. */
  take: (claim: Claim, first: (run: Run) => void) => Promise<void>;
  onError: (message: string, error: unknown) => void;
}

export class Breakdowns {
  readonly #options: BreakdownsOptions;
  readonly #parking = new Set<string>();

  constructor(options: BreakdownsOptions) {
    this.#options = options;
  }

  get isBusy(): boolean {
    return this.#parking.size > 0;
  }

  park(claim: Claim, error: unknown): void {
    const { execution } = claim;
    if (this.#parking.has(execution)) return;
    this.#parking.add(execution);
    this.#park(claim, `to go on with it has failed: ${messageOf(error)}`)
      .catch((cause: unknown) =>
        this.#options.onError(`cannot park "${execution}": ${messageOf(cause)}`, cause),
      )
      .finally(() => this.#parking.delete(execution));
  }

  async #park(claim: Claim, reason: string): Promise<void> {
    let parked: Promise<Execution> | undefined;
    await this.#options.take(claim, (run) => {
      parked = run.order({
        verb: "park",
        ask: (machine, state) => ({ append: machine.broken(state, reason) }),
      });
    });
    await parked;
  }
}
