import { Service, z } from "haraka-runtime";

export const settings = z.object({ warmupMs: z.number().int().nonnegative() });

/** Does one job after the other, in the order in which they came. */
export class Worker extends Service<z.infer<typeof settings>> {
  override readonly readiness = "manual" as const;
  #last: Promise<unknown> = Promise.resolve();

  override startup(): void {
    this.runtime.clock.after(this.settings.warmupMs, () => this.runtime.markReady());
  }

  submit(text: string): Promise<string> {
    const job = this.#last.then(() => text.toUpperCase());
    this.#last = job;
    return job;
  }

  /** Nothing that was taken is dropped. */
  override async shutdown(): Promise<void> {
    await this.#last;
  }
}
