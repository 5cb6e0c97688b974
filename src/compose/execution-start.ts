// When executions begin to move: once the startup is over and every service is ready or will not be, since a step that is sent to one that
// does not listen yet spends its attempts on nobody. A service that becomes ready only by an execution holds it no longer than the startup
// may take. It runs nothing.
import type { Fleet } from "../core/fleet.ts";
import type { Clock } from "../ports/clock.ts";
import type { RuntimeEvent } from "../ports/runtime-event.ts";

export interface ExecutionStartOptions {
  clock: Clock;
  /** Of the whole startup. */
  timeoutMs: number;
  /** Called once, with the services that are not ready. */
  begin: (missing: readonly string[]) => void;
}

export class ExecutionStart {
  readonly #options: ExecutionStartOptions;
  #isStarted = false;
  #isLate = false;
  #isOver = false;
  #cancel = (): void => {};

  constructor(options: ExecutionStartOptions) {
    this.#options = options;
  }

  /** Takes every event of the runtime, with its services as they are after it. */
  observe(event: RuntimeEvent, fleet: () => Fleet): void {
    if (this.#isOver) return;
    if (event.type === "runtime-state-changed") {
      if (event.to === "starting") this.#expire(fleet);
      else if (event.to === "started") this.#isStarted = true;
      else return this.#end();
    }
    this.#look(fleet);
  }

  #expire(fleet: () => Fleet): void {
    const { clock, timeoutMs } = this.#options;
    if (timeoutMs === Infinity) return;
    this.#cancel = clock.after(timeoutMs, () => {
      this.#isLate = true;
      this.#look(fleet);
    });
  }

  #look(fleet: () => Fleet): void {
    if (!this.#isStarted) return;
    const missing = fleet().unready;
    if (missing.length > 0 && !this.#isLate) return;
    this.#end();
    this.#options.begin(missing);
  }

  #end(): void {
    this.#isOver = true;
    this.#cancel();
  }
}
