// A service that other services use: it holds a number.
import { Service, z } from "haraka-runtime";

export const settings = z.object({ start: z.number().int().default(0) });

export class Counter extends Service<z.infer<typeof settings>> {
  #count = this.settings.start;

  next(): number {
    return ++this.#count;
  }
}
