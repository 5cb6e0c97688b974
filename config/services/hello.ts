// A service with HTTP routes, on the same port as health.
import { type Hono, Service, z } from "haraka-runtime";
import { Counter } from "./counter.ts";

export const settings = z.object({ greeting: z.string().default("Hello") });

export class Hello extends Service<z.infer<typeof settings>> {
  override routes(app: Hono): void {
    const counter = this.runtime.get(Counter);
    app.get("/", (c) => c.text(`${this.settings.greeting}, visitor ${counter.next()}\n`));
  }
}
