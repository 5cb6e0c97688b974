// A module service behind Traefik: says which of the replicas has answered.
import { hostname } from "node:os";
import { type Hono, Service, z } from "haraka-runtime";

export const settings = z.object({ greeting: z.string() });

export class Api extends Service<z.infer<typeof settings>> {
  override routes(app: Hono): void {
    app.get("/api", (c) => c.text(`${this.settings.greeting} from ${hostname()}\n`));
  }
}
