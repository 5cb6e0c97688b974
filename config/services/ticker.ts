// A service that works in the background until it is told to stop.
import { Service, z } from "haraka-runtime";

export const settings = z.object({ everyMs: z.number().int().positive() });

export default class Ticker extends Service<z.infer<typeof settings>> {
  override startup(): void {
    this.runtime.addBackgroundTask(async (signal) => {
      const tick = setInterval(() => this.runtime.log.info("tick"), this.settings.everyMs);
      await new Promise((stop) => signal.addEventListener("abort", stop));
      clearInterval(tick);
    });
  }
}
