// Background and shutdown tasks: work that belongs to no service. Background tasks run from the end of startup until their
// signal aborts; shutdown tasks run once, in the last stage.
import { messageOf } from "../errors.ts";

export type BackgroundTask = (signal: AbortSignal) => Promise<void> | void;
export type ShutdownTask = () => unknown;

export class BackgroundTasks {
  readonly #abort = new AbortController();
  readonly #running = new Set<Promise<void>>();
  readonly #onFailed: (reason: string) => void;
  #waiting: BackgroundTask[] | undefined = [];

  constructor(onFailed: (reason: string) => void) {
    this.#onFailed = onFailed;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Runs it now, or once {@link start} has been called. After {@link stop} it is not run at all. */
  add(task: BackgroundTask): void {
    if (this.#abort.signal.aborted) return;
    if (this.#waiting) this.#waiting.push(task);
    else this.#run(task);
  }

  start(): void {
    const tasks = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const task of tasks) this.#run(task);
  }

  /** Aborts their signal and resolves when all have ended. */
  async stop(): Promise<void> {
    this.#abort.abort();
    await Promise.all(this.#running);
  }

  get running(): number {
    return this.#running.size;
  }

  #run(task: BackgroundTask): void {
    const ended = runTask(() => task(this.#abort.signal)).then((reason) => {
      this.#running.delete(ended);
      // An abort that surfaces as a rejection is the ordinary way to end.
      if (reason !== undefined && !this.#abort.signal.aborted) this.#onFailed(reason);
    });
    this.#running.add(ended);
  }
}

/** Runs it; resolves with why it failed, or with nothing. Never rejects. */
export async function runTask(task: ShutdownTask): Promise<string | undefined> {
  try {
    await task();
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}
